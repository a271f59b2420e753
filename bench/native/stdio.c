/* The smallest MCP server on stdio: a line in, a line out. */
#include "answers.h"
#include <unistd.h>

static void flush(struct buffer *b) {
  for (size_t done = 0; done < b->len;) {
    ssize_t n = write(1, b->at + done, b->len - done);
    if (n <= 0) exit(0);
    done += (size_t)n;
  }
  b->len = 0;
}

static void line(struct buffer *out, struct text body) {
  for (int i = 1; i <= events(body); i++) {
    event(out, body, i);
    say(out, "\n");
  }
  size_t before = out->len;
  answer(out, body);
  if (out->len > before) say(out, "\n");
}

int main(void) {
  struct buffer in = { 0 }, out = { 0 };
  for (;;) {
    need(&in, 65536);
    ssize_t n = read(0, in.at + in.len, in.room - in.len);
    if (n <= 0) return 0;
    in.len += (size_t)n;
    char *at = in.at, *end = in.at + in.len, *stop;
    for (; (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
      struct text body = { at, (size_t)(stop - at) };
      line(&out, body);
    }
    flush(&out);
    in.len = (size_t)(end - at);
    memmove(in.at, at, in.len);
  }
}
