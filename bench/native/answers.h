/* What the servers of the bench say: one JSON-RPC answer to one request of either era. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 1500
#define LARGE 100000
#define EVENTS 10
#define MODERN "io.modelcontextprotocol/protocolVersion"

struct text { const char *at; size_t len; };

/* A growing buffer. */
struct buffer { char *at; size_t len, room; };

static void need(struct buffer *b, size_t more) {
  if (b->len + more <= b->room) return;
  while (b->len + more > b->room) b->room = b->room ? b->room * 2 : 65536;
  if (!(b->at = realloc(b->at, b->room))) exit(70);
}

static void add(struct buffer *b, const char *at, size_t len) {
  need(b, len);
  memcpy(b->at + b->len, at, len);
  b->len += len;
}

static void say(struct buffer *b, const char *text) { add(b, text, strlen(text)); }

static int has(struct text body, const char *word) { return memmem(body.at, body.len, word, strlen(word)) != NULL; }

/* The text of the scalar behind a key, quotes included; empty when absent. */
static struct text scalar(struct text body, const char *key) {
  struct text none = { "", 0 };
  const char *end = body.at + body.len, *at = memmem(body.at, body.len, key, strlen(key));
  if (!at) return none;
  for (at += strlen(key); at < end && *at == ' '; at++);
  const char *last = at;
  if (last < end && *last == '"') for (last++; last < end && *last != '"'; last++);
  while (last < end && *last != ',' && *last != '}') last++;
  struct text found = { at, (size_t)(last - at) };
  return found;
}

static char letters[LARGE];

static void content(struct buffer *b, size_t size) {
  static const char prose[] = "the quick brown fox jumps over the lazy dog and runs away; ";
  if (!letters[0]) for (size_t i = 0; i < LARGE; i++) letters[i] = prose[i % (sizeof prose - 1)];
  say(b, "{\"content\":[{\"type\":\"text\",\"text\":\"");
  add(b, letters, size - 60);
  say(b, "\"}]");
}

static void result(struct buffer *b, struct text body) {
  int modern = has(body, MODERN);
  const char *tail = modern ? ",\"resultType\":\"complete\"}" : "}";
  if (has(body, "\"tools/call\"")) {
    content(b, has(body, "\"name\":\"large\"") ? LARGE : SMALL);
    return say(b, tail);
  }
  if (has(body, "\"initialize\""))
    return say(b, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
                  "\"serverInfo\":{\"name\":\"bench\",\"version\":\"1\"}}");
  if (has(body, "\"server/discover\""))
    return say(b, "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},\"ttlMs\":3600000,"
                  "\"cacheScope\":\"public\",\"resultType\":\"complete\"}");
  if (has(body, "\"tools/list\"")) {
    static const char *names[] = { "small", "large", "events" };
    say(b, "{\"tools\":[");
    for (int i = 0; i < 3; i++) {
      say(b, i ? ",{\"name\":\"" : "{\"name\":\"");
      say(b, names[i]);
      say(b, "\",\"description\":\"Answers with text.\",\"inputSchema\":{\"type\":\"object\",\"properties\":"
             "{\"query\":{\"type\":\"string\"},\"limit\":{\"type\":\"integer\"}}}}");
    }
    say(b, modern ? "],\"ttlMs\":3600000,\"cacheScope\":\"public\"" : "]");
    return say(b, tail);
  }
  say(b, modern ? "{\"resultType\":\"complete\"}" : "{}");
}

/* One whole answer; nothing for a notification. */
static void answer(struct buffer *b, struct text body) {
  struct text id = scalar(body, "\"id\":");
  if (!id.len) return;
  say(b, "{\"jsonrpc\":\"2.0\",\"id\":");
  add(b, id.at, id.len);
  say(b, ",\"result\":");
  result(b, body);
  say(b, "}");
}

/* How many progress events this request gets before its answer. */
static int events(struct text body) {
  return has(body, "\"name\":\"events\"") && scalar(body, "\"progressToken\":").len ? EVENTS : 0;
}

static void event(struct buffer *b, struct text body, int number) {
  struct text token = scalar(body, "\"progressToken\":");
  char count[64];
  say(b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":");
  add(b, token.at, token.len);
  snprintf(count, sizeof count, ",\"progress\":%d,\"total\":%d}}", number, EVENTS);
  say(b, count);
}
