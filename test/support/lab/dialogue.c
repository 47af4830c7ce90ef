// Many long connections that prove they are whole: each exchanges numbered messages with its server, and both sides keep
// a running hash of all they got. A byte lost, doubled or of another connection breaks the hash; a server that changed
// breaks the name.
//   dialogue serve ADDRESS PORT NAME          answers every connection until SIGTERM
//   dialogue ask ADDRESS PORT COUNT EVERY_MS  holds COUNT connections, each sends when its answer is there and EVERY_MS
//                                             have passed; ends at SIGTERM
// `ask` writes a line ten times a second, and one for each connection that ends (times are microseconds, real time):
//   progress OPEN ANSWERED OLDEST WORST · broken NUMBER REASON
// OLDEST: when the message was sent that is the last answered one of the connection that is furthest behind. WORST: the
// longest wait for an answer since the line before, of answered and unanswered messages alike.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { kLargestBody = 32768, kLargeEvery = 16, kMaxEvents = 256, kTick_ms = 5, kReportTicks = 20 };

struct header {
  uint32_t connection, sequence, body_size, server;
  uint64_t history;  // of the sender, this message's body included
};

struct message {
  struct header header;
  uint8_t body[kLargestBody];
};

struct connection {
  int link;
  uint32_t number, sequence, server;
  uint64_t history;   // of what we sent and got, in order
  int64_t sent, last_answered, due;
  int is_open, is_waiting;
  size_t received, written, to_write;  // of the message in `in`, of the one in `out`
  struct message *in, *out;
};

static int poller, is_server;
static int64_t worst_wait;
static uint64_t answered;

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// FNV-1a over 8 bytes at a time.
static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size; i += 8) {
    memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
    hash = (hash ^ word) * 0x100000001b3ULL;
  }
  return hash ^ size;
}

static uint32_t name_hash(const char *name) { return (uint32_t)mix(0xcbf29ce484222325ULL, (const uint8_t *)name, strlen(name)); }

static void watch(struct connection *c, uint32_t events, int operation) {
  epoll_ctl(poller, operation, c->link, &(struct epoll_event){.events = events, .data.ptr = c});
}

static void end(struct connection *c, const char *reason) {
  if (!is_server) printf("broken %u %s\n", c->number, reason);
  close(c->link);
  c->link = -1;
  c->is_open = 0;
}

static const char *reason_of(int error) {
  switch (error) {
    case 0: return "closed";
    case ECONNREFUSED: return "refused";
    case ECONNRESET: case EPIPE: return "reset";
    case ETIMEDOUT: return "timeout";
    default: return strerrorname_np(error);
  }
}

static void flush(struct connection *c) {
  while (c->written < c->to_write) {
    const ssize_t size = send(c->link, (uint8_t *)c->out + c->written, c->to_write - c->written, MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) return watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    if (size < 0) return end(c, reason_of(errno));
    c->written += (size_t)size;
  }
  watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

static void say(struct connection *c, uint32_t body_size) {
  struct message *out = c->out;
  for (uint32_t i = 0; i < body_size; i += 4) memcpy(out->body + i, &(uint32_t){c->number * 2654435761u + c->sequence + i}, 4);
  c->history = mix(c->history, out->body, body_size);
  out->header = (struct header){c->number, c->sequence, body_size, c->server, c->history};
  c->written = 0;
  c->to_write = sizeof out->header + body_size;
  flush(c);
}

// A whole message has come; gives what is wrong with it.
static const char *check(struct connection *c) {
  const struct header *got = &c->in->header;
  c->history = mix(c->history, c->in->body, got->body_size);
  if (got->history != c->history) return "garbled";
  if (got->connection != c->number || got->sequence != c->sequence) return "misdirected";
  return NULL;
}

// Reads what is there; true when a whole message stands in `in`.
static int read_message(struct connection *c) {
  for (;;) {
    size_t wanted = sizeof(struct header);
    if (c->received >= wanted) {
      if (c->in->header.body_size > kLargestBody) return end(c, "garbled"), 0;
      wanted += c->in->header.body_size;
      if (c->received == wanted) return c->received = 0, 1;
    }
    const ssize_t size = recv(c->link, (uint8_t *)c->in + c->received, wanted - c->received, 0);
    if (size < 0 && errno == EAGAIN) return 0;
    if (size <= 0) return end(c, size == 0 ? "closed" : reason_of(errno)), 0;
    c->received += (size_t)size;
  }
}

static struct connection *open_connection(int link, uint32_t number) {
  struct connection *c = calloc(1, sizeof *c);
  c->link = link, c->number = number, c->is_open = 1;
  c->in = malloc(sizeof *c->in), c->out = malloc(sizeof *c->out);
  setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return c;
}

static void serve(int listener, uint32_t name) {
  watch(&(struct connection){.link = listener}, EPOLLIN, EPOLL_CTL_ADD);
  for (;;) {
    struct epoll_event events[kMaxEvents];
    const int ready = epoll_wait(poller, events, kMaxEvents, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == NULL) exit(0);
      if (c->in == NULL) {
        const int link = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (link >= 0) watch(open_connection(link, 0), EPOLLIN, EPOLL_CTL_ADD);
        continue;
      }
      if (events[i].events & EPOLLOUT) flush(c);
      if (!c->is_open || !read_message(c)) continue;
      c->number = c->in->header.connection;
      c->sequence = c->in->header.sequence;
      c->server = name;
      // A broken hash is the asker's to tell: it sees it in the answer.
      c->history = mix(c->history, c->in->body, c->in->header.body_size);
      say(c, c->in->header.body_size);
    }
  }
}

static void take_answer(struct connection *c) {
  const char *wrong = check(c);
  if (wrong == NULL && c->server != 0 && c->server != c->in->header.server) wrong = "misdirected";
  if (wrong != NULL) return end(c, wrong);
  c->server = c->in->header.server;
  c->last_answered = c->sent;
  c->is_waiting = 0;
  const int64_t waited = now_us() - c->sent;
  if (waited > worst_wait) worst_wait = waited;
  answered++;
}

static void report(struct connection **all, uint32_t count) {
  const int64_t now = now_us();
  int64_t oldest = now;
  uint32_t open = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!all[i]->is_open) continue;
    open++;
    if (all[i]->last_answered < oldest) oldest = all[i]->last_answered;
    if (all[i]->is_waiting && now - all[i]->sent > worst_wait) worst_wait = now - all[i]->sent;
  }
  printf("progress %u %llu %lld %lld\n", open, (unsigned long long)answered, (long long)oldest, (long long)worst_wait);
  worst_wait = 0;
}

static void ask(const struct sockaddr *server, socklen_t size, uint32_t count, int64_t every) {
  struct connection **all = calloc(count, sizeof *all);
  const int64_t start = now_us();
  for (uint32_t i = 0; i < count; i++) {
    const int link = socket(server->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct connection *c = all[i] = open_connection(link, i + 1);
    // Spread over the interval, the first round too.
    c->due = start + every * i / count;
    c->sent = c->due;
    if (connect(link, server, size) < 0 && errno != EINPROGRESS) end(c, reason_of(errno));
    else watch(c, EPOLLIN, EPOLL_CTL_ADD);
  }
  const int ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const struct timespec tick = {0, kTick_ms * 1000000};
  timerfd_settime(ticker, 0, &(struct itimerspec){tick, tick}, NULL);
  epoll_ctl(poller, EPOLL_CTL_ADD, ticker, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &poller});
  for (uint64_t ticks = 0, reported = 0;;) {
    struct epoll_event events[kMaxEvents];
    const int ready = epoll_wait(poller, events, kMaxEvents, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].data.ptr == NULL) exit(0);
      if (events[i].data.ptr == &poller) {
        uint64_t passed = 0;
        if (read(ticker, &passed, sizeof passed) == sizeof passed) ticks += passed;
        continue;
      }
      if (c->is_open && (events[i].events & EPOLLOUT)) flush(c);
      while (c->is_open && read_message(c)) take_answer(c);
    }
    const int64_t now = now_us();
    for (uint32_t i = 0; i < count; i++) {
      struct connection *c = all[i];
      if (!c->is_open || c->is_waiting || now < c->due) continue;
      c->is_waiting = 1;
      c->sent = now;
      c->due = now + every;
      c->sequence++;
      say(c, (c->number + c->sequence) % kLargeEvery == 0 ? kLargestBody : 64);
    }
    if (ticks < reported + kReportTicks) continue;
    reported = ticks;
    report(all, count);
  }
}

int main(int count, char **arguments) {
  if (count < 5) return 2;
  struct sockaddr_storage address = {0};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
  const uint16_t port = htons((uint16_t)atoi(arguments[3]));
  socklen_t size = sizeof *v4;
  if (inet_pton(AF_INET, arguments[2], &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET, v4->sin_port = port;
  } else if (inet_pton(AF_INET6, arguments[2], &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6, v6->sin6_port = port, size = sizeof *v6;
  } else {
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){65536, 65536});
  poller = epoll_create1(0);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const int ending = signalfd(-1, &signals, SFD_NONBLOCK);
  epoll_ctl(poller, EPOLL_CTL_ADD, ending, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  if (strcmp(arguments[1], "serve") == 0) {
    const int listener = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0) return perror("listen"), 1;
    is_server = 1;
    printf("listening\n");
    serve(listener, name_hash(arguments[4]));
  } else if (count == 6 && strcmp(arguments[1], "ask") == 0 && atoi(arguments[4]) > 0 && atoi(arguments[5]) > 0) {
    ask((struct sockaddr *)&address, size, (uint32_t)atoi(arguments[4]), (int64_t)atoi(arguments[5]) * 1000);
  }
  return 2;
}
