/*
 * An MCP server over HTTP that costs next to nothing: one thread, epoll, keep-alive. It prints its port.
 * Any path is the endpoint, but /v1/traces, which takes spans and forgets them.
 */
#include "answers.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

struct connection { int fd, waits; struct buffer in, out; size_t sent; };

static int poller;

static void watch(struct connection *c, int op, unsigned what) {
  struct epoll_event e = { .events = what, .data.ptr = c };
  epoll_ctl(poller, op, c->fd, &e);
}

/* What the socket does not take now goes on when it can. */
static int flush(struct connection *c) {
  while (c->sent < c->out.len) {
    ssize_t n = write(c->fd, c->out.at + c->sent, c->out.len - c->sent);
    if (n <= 0) {
      if (!c->waits) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
      return c->waits = 1;
    }
    c->sent += (size_t)n;
  }
  c->sent = c->out.len = 0;
  if (c->waits) watch(c, EPOLL_CTL_MOD, EPOLLIN);
  return c->waits = 0;
}

static void head(struct buffer *out, const char *status, const char *type, size_t length) {
  char text[256];
  int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: %s\r\nMcp-Session-Id: bench\r\nContent-Length: %zu\r\n\r\n",
                   status, type, length);
  add(out, text, (size_t)n);
}

static void chunk(struct connection *c, struct buffer *json) {
  char size[32];
  snprintf(size, sizeof size, "%zx\r\n", json->len + 23);
  say(&c->out, size);
  say(&c->out, "event: message\ndata: ");
  add(&c->out, json->at, json->len);
  say(&c->out, "\n\n\r\n");
  flush(c);
}

static void stream(struct connection *c, struct text body) {
  static struct buffer json;
  say(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
               "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 1; i <= events(body); i++) {
    json.len = 0;
    event(&json, body, i);
    chunk(c, &json);
  }
  json.len = 0;
  answer(&json, body);
  chunk(c, &json);
  say(&c->out, "0\r\n\r\n");
}

static void respond(struct connection *c, const char *request, struct text body) {
  static struct buffer json;
  if (!strncmp(request, "GET", 3)) return head(&c->out, "405 Method Not Allowed", "text/plain", 0);
  if (!strncmp(request, "POST /v1/traces", 15)) {
    head(&c->out, "200 OK", "application/json", 2);
    return say(&c->out, "{}");
  }
  if (events(body)) return stream(c, body);
  json.len = 0;
  answer(&json, body);
  head(&c->out, json.len ? "200 OK" : "202 Accepted", "application/json", json.len);
  add(&c->out, json.at, json.len);
}

/* The length of the first whole request that has come; 0 when there is none. */
static size_t request(struct connection *c, size_t from) {
  char *at = c->in.at + from, *end = c->in.at + c->in.len;
  char *blank = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
  if (!blank) return 0;
  *blank = 0;
  const char *length = strcasestr(at, "\ncontent-length:");
  struct text body = { blank + 4, length ? strtoul(length + 16, NULL, 10) : 0 };
  *blank = '\r';
  if (body.at + body.len > end) return 0;
  respond(c, at, body);
  return (size_t)(body.at + body.len - at);
}

static int serve(struct connection *c) {
  need(&c->in, 65536);
  ssize_t n = read(c->fd, c->in.at + c->in.len, c->in.room - c->in.len);
  if (n <= 0) return 0;
  c->in.len += (size_t)n;
  size_t at = 0, used;
  while ((used = request(c, at))) at += used;
  c->in.len -= at;
  memmove(c->in.at, c->in.at + at, c->in.len);
  flush(c);
  return 1;
}

static void hang_up(struct connection *c) {
  close(c->fd);
  free(c->in.at);
  free(c->out.at);
  free(c);
}

static void welcome(int door) {
  int one = 1, fd = accept4(door, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct connection *c = calloc(1, sizeof *c);
  c->fd = fd;
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static int open_door(void) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int door = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(door, (void *)&address, size) || listen(door, 1024)) exit(71);
  getsockname(door, (void *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return door;
}

int main(void) {
  struct epoll_event ready[64];
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  poller = epoll_create1(0);
  int door = open_door();
  struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
  epoll_ctl(poller, EPOLL_CTL_ADD, door, &e);
  for (;;) {
    int count = epoll_wait(poller, ready, 64, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = ready[i].data.ptr;
      if (!c) welcome(door);
      else if (!(ready[i].events & ~(unsigned)EPOLLOUT)) flush(c);
      else if (!serve(c)) hang_up(c);
    }
  }
}
