/*
 * Calls a server and checks every answer: the status, the id, the result, the number of events before it.
 *   load <port> <request file> <connections> <seconds> <calls per second, or 0> <events>
 * Without a rate the loop is closed: every connection calls again once it is answered. With a rate it is open: calls are due
 * at random times (Poisson), and their latency counts from when they were due, whether a connection was free or not.
 * The request file is a whole HTTP request that holds IDIDIDIDID once, where a number of ten digits goes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MARK "IDIDIDIDID"
#define ROOM (1 << 20)
#define MOST 20000000
#define GRACE 5000000000ull

struct connection { int fd, busy; uint64_t due, id; size_t len, body, scan, keep; long left; char *in; };

static struct { char *text; size_t len; char *id; } ask;
static struct connection *lanes, **idle;
static int lane_count, idle_count, port, poller, wanted_events;
static uint64_t now, began, until, next_id, last, *due;
static size_t due_head, due_tail;
static uint32_t *took;
static long calls, errors;
static char said[400];

static uint64_t clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void connect_lane(struct connection *c) {
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (void *)&to, sizeof to)) { perror("connect"); exit(72); }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void send_call(struct connection *c, uint64_t since) {
  char digits[11];
  c->due = since;
  c->id = next_id++;
  c->busy = 1;
  c->len = c->body = c->scan = c->keep = 0;
  c->left = -1;
  snprintf(digits, sizeof digits, "%010llu", (unsigned long long)c->id);
  memcpy(ask.id, digits, 10);
  if (write(c->fd, ask.text, ask.len) != (ssize_t)ask.len) errors++;
}

static void wrong(struct connection *c) {
  errors++;
  if (!said[0]) snprintf(said, sizeof said, "%.*s", (int)(c->len < 380 ? c->len : 380), c->in);
}

static int count_events(const char *at, size_t len) {
  static const char word[] = "notifications/progress";
  int found = 0;
  for (const char *end = at + len, *hit; (hit = memmem(at, (size_t)(end - at), word, sizeof word - 1)); at = hit + 1) found++;
  return found;
}

static int right(struct connection *c) {
  char id[24];
  int n = snprintf(id, sizeof id, "\"id\":%llu", (unsigned long long)c->id);
  char *body = c->in + c->body;
  size_t len = c->keep - c->body;
  return !strncmp(c->in, "HTTP/1.1 200", 12) && memmem(body, len, id, (size_t)n) && memmem(body, len, "\"result\"", 8) &&
         (!wanted_events || count_events(body, len) == wanted_events);
}

/* Decodes chunks in place, as far as they have come. 1: the last one was there. */
static int dechunk(struct connection *c) {
  for (;;) {
    char *line = memmem(c->in + c->scan, c->len - c->scan, "\r\n", 2);
    if (!line) return 0;
    size_t size = strtoul(c->in + c->scan, NULL, 16), data = (size_t)(line + 2 - c->in);
    if (data + size + 2 > c->len) return 0;
    if (size == 0) return 1;
    memmove(c->in + c->keep, c->in + data, size);
    c->keep += size;
    c->scan = data + size + 2;
  }
}

/* 1: the whole answer is here. */
static int whole(struct connection *c) {
  if (!c->body) {
    char *blank = memmem(c->in, c->len, "\r\n\r\n", 4);
    if (!blank) return 0;
    *blank = 0;
    const char *length = strcasestr(c->in, "\ncontent-length:");
    c->left = length ? atol(length + 16) : -1;
    c->body = c->scan = c->keep = (size_t)(blank + 4 - c->in);
  }
  if (c->left < 0) return dechunk(c);
  c->keep = c->len;
  return c->len - c->body >= (size_t)c->left;
}

static void rest(struct connection *c) { c->busy = 0; idle[idle_count++] = c; }

static void answered(struct connection *c, int rate) {
  now = clock_now();
  if (right(c)) {
    if (calls < MOST) took[calls++] = (uint32_t)((now - c->due) / 1000);
    last = now;
  } else wrong(c);
  if (!rate && now < until) return send_call(c, now);
  if (rate && due_head < due_tail) return send_call(c, due[due_head++]);
  rest(c);
}

static void ready(struct connection *c, int rate) {
  ssize_t n = read(c->fd, c->in + c->len, ROOM - c->len);
  if (n > 0) {
    c->len += (size_t)n;
    if (c->busy && whole(c)) answered(c, rate);
    return;
  }
  close(c->fd);
  connect_lane(c);
  if (!c->busy) return;
  wrong(c);
  rest(c);
}

static double chance(void) { return (double)(random() + 1) / 2147483649.0; }

/* Every call that is due by now, and when to wake for the next. */
static void come_due(double rate, int timer) {
  static uint64_t next;
  if (!next) next = began;
  for (now = clock_now(); next <= now && next < until; next += (uint64_t)(-log(chance()) / rate * 1e9))
    if (due_tail < MOST) due[due_tail++] = next;
  while (due_head < due_tail && idle_count) send_call(idle[--idle_count], due[due_head++]);
  if (next >= until) return;
  struct itimerspec at = { .it_value = { .tv_sec = (time_t)(next / 1000000000ull), .tv_nsec = (long)(next % 1000000000ull) } };
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void read_request(const char *file) {
  FILE *f = fopen(file, "r");
  if (!f) { perror(file); exit(66); }
  ask.text = malloc(ROOM);
  ask.len = fread(ask.text, 1, ROOM, f);
  ask.id = memmem(ask.text, ask.len, MARK, 10);
  if (!ask.id) { fprintf(stderr, "no %s in %s\n", MARK, file); exit(65); }
}

static int by_size(const void *a, const void *b) { return (*(uint32_t *)a > *(uint32_t *)b) - (*(uint32_t *)a < *(uint32_t *)b); }

static unsigned quantile(double q) { return calls ? took[(long)(q * (double)(calls - 1))] : 0; }

static void report(void) {
  qsort(took, (size_t)calls, sizeof *took, by_size);
  fprintf(stderr, "%s", said);
  printf("{\"calls\":%ld,\"errors\":%ld,\"seconds\":%.6f,\"p50\":%u,\"p90\":%u,\"p99\":%u}\n", calls, errors,
         (double)(last - began) / 1e9, quantile(0.5), quantile(0.9), quantile(0.99));
}

int main(int argc, char **argv) {
  if (argc != 7) { fprintf(stderr, "usage: load port request connections seconds rate events\n"); return 64; }
  signal(SIGPIPE, SIG_IGN);
  port = atoi(argv[1]);
  read_request(argv[2]);
  lane_count = atoi(argv[3]);
  double rate = atof(argv[5]);
  wanted_events = atoi(argv[6]);
  poller = epoll_create1(0);
  took = malloc(sizeof *took * MOST);
  due = malloc(sizeof *due * MOST);
  lanes = calloc((size_t)lane_count, sizeof *lanes);
  idle = calloc((size_t)lane_count, sizeof *idle);
  for (int i = 0; i < lane_count; i++) {
    lanes[i].in = malloc(ROOM);
    connect_lane(&lanes[i]);
    rest(&lanes[i]);
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, got[64];
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &e);
  began = last = now = clock_now();
  next_id = 1000000000ull + began / 1000 % 8000000000ull;
  until = began + (uint64_t)(atof(argv[4]) * 1e9);
  if (rate > 0) come_due(rate, timer);
  else while (idle_count) send_call(idle[--idle_count], now);
  while ((now = clock_now()) < until || (idle_count < lane_count && now < until + GRACE)) {
    int count = epoll_wait(poller, got, 64, 100);
    for (int i = 0; i < count; i++)
      if (got[i].data.ptr) ready(got[i].data.ptr, rate > 0);
      else { uint64_t skip; (void)!read(timer, &skip, 8); come_due(rate, timer); }
  }
  errors += lane_count - idle_count;
  report();
  return 0;
}
