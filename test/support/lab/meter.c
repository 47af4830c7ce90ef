// Asks a server again and again at a fixed rate and writes down when each answer came: how long was nobody there?
// meter ADDRESS PORT RATE TIMEOUT_MS new|kept. `new`: a connection for each request. `kept`: one for all of them, one
// request at a time, made anew when it breaks. Ends at SIGTERM. Times are microseconds, one line an event:
//   clock MONOTONIC REALTIME · reply STARTED ENDED NAME · failure STARTED ENDED REASON · end REQUESTS LATEST
// NAME is the last word of the answer, LATEST how late the latest request left: the meter's own stalls.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { kMaxInFlight = 4096, kMaxEvents = 64 };

struct request {
  int link;  // -1: unused
  int64_t started;
  enum { kConnecting, kAsked, kIdle } state;
};

static struct request requests[kMaxInFlight];
static struct sockaddr_storage server;
static socklen_t server_size;
static int poller, is_kept;
static struct request *kept;

static int64_t clock_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void close_link(struct request *request) {
  close(request->link);
  request->link = -1;
  if (kept == request) kept = NULL;
}

static void fail(struct request *request, const char *reason) {
  printf("failure %lld %lld %s\n", (long long)request->started, (long long)clock_us(CLOCK_MONOTONIC), reason);
  close_link(request);
}

static const char *reason_of(int error) {
  switch (error) {
    case ECONNREFUSED: return "refused";
    case ECONNRESET: case EPIPE: return "reset";
    case EHOSTUNREACH: case ENETUNREACH: return "unreachable";
    case ETIMEDOUT: return "timeout";
    default: return strerrorname_np(error);
  }
}

static void ask(struct request *request) {
  static const char once[] = "GET / HTTP/1.0\r\n\r\n";
  static const char again[] = "GET / HTTP/1.1\r\nHost: meter\r\n\r\n";
  const char *text = is_kept ? again : once;
  request->state = kAsked;
  if (send(request->link, text, strlen(text), MSG_NOSIGNAL) < 0) fail(request, reason_of(errno));
}

static void start(int64_t now) {
  if (is_kept && kept != NULL) {
    if (kept->state != kIdle) return;  // The answer to the one before is still awaited.
    kept->started = now;
    ask(kept);
    return;
  }
  struct request *request = NULL;
  for (int i = 0; i < kMaxInFlight && request == NULL; i++)
    if (requests[i].link < 0) request = &requests[i];
  if (request == NULL) return;
  *request = (struct request){.link = socket(server.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), .started = now};
  if (is_kept) kept = request;
  const int one = 1;
  setsockopt(request->link, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(request->link, (struct sockaddr *)&server, server_size) < 0 && errno != EINPROGRESS) {
    fail(request, reason_of(errno));
    return;
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = request};
  epoll_ctl(poller, EPOLL_CTL_ADD, request->link, &event);
}

static void proceed(struct request *request, uint32_t events) {
  if (request->link < 0) return;
  if (request->state == kConnecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(request->link, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(request, reason_of(error));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = request};
    epoll_ctl(poller, EPOLL_CTL_MOD, request->link, &event);
    return ask(request);
  }
  char answer[4096];
  const ssize_t size = recv(request->link, answer, sizeof answer - 1, 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size < 0) return fail(request, reason_of(errno));
  if (size == 0) return fail(request, "closed");
  answer[size] = '\0';
  char *end = answer + size;
  while (end > answer && end[-1] <= ' ') *--end = '\0';
  char *name = end;
  while (name > answer && name[-1] > ' ') name--;
  printf("reply %lld %lld %s\n", (long long)request->started, (long long)clock_us(CLOCK_MONOTONIC), name);
  request->state = kIdle;
  if (!is_kept) close_link(request);
}

int main(int count, char **arguments) {
  if (count != 6) return 2;
  const int port = atoi(arguments[2]), rate = atoi(arguments[3]);
  const int64_t patience = (int64_t)atoi(arguments[4]) * 1000;
  is_kept = strcmp(arguments[5], "kept") == 0;
  struct sockaddr_in *v4 = (struct sockaddr_in *)&server;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&server;
  if (inet_pton(AF_INET, arguments[1], &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET, v4->sin_port = htons((uint16_t)port), server_size = sizeof *v4;
  } else if (inet_pton(AF_INET6, arguments[1], &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6, v6->sin6_port = htons((uint16_t)port), server_size = sizeof *v6;
  } else {
    return 2;
  }
  if (rate < 1 || patience < 1000) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  // Best effort: where real-time priority is not to be had, LATEST tells.
  sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1});
  for (int i = 0; i < kMaxInFlight; i++) requests[i].link = -1;

  poller = epoll_create1(0);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const int ending = signalfd(-1, &signals, SFD_NONBLOCK);
  const int ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const int64_t interval = 1000000 / rate;
  const struct timespec every = {interval / 1000000, interval % 1000000 * 1000};
  timerfd_settime(ticker, 0, &(struct itimerspec){every, every}, NULL);
  epoll_ctl(poller, EPOLL_CTL_ADD, ending, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  epoll_ctl(poller, EPOLL_CTL_ADD, ticker, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &poller});

  int64_t due = clock_us(CLOCK_MONOTONIC) + interval, latest = 0, asked = 0;
  printf("clock %lld %lld\n", (long long)clock_us(CLOCK_MONOTONIC), (long long)clock_us(CLOCK_REALTIME));
  for (;;) {
    struct epoll_event events[kMaxEvents];
    int is_tick = 0;
    const int ready = epoll_wait(poller, events, kMaxEvents, 1000);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == NULL) {
        printf("end %lld %lld\n", (long long)asked, (long long)latest);
        return 0;
      }
      if (events[i].data.ptr != &poller) {
        proceed(events[i].data.ptr, events[i].events);
        continue;
      }
      is_tick = 1;
    }
    uint64_t ticks = 0;
    // After the sockets: an event of this round must not meet a request that has just taken over its place.
    if (!is_tick || read(ticker, &ticks, sizeof ticks) != sizeof ticks) continue;
    const int64_t now = clock_us(CLOCK_MONOTONIC);
    if (now - due > latest) latest = now - due;
    due += (int64_t)ticks * interval;
    asked++;
    start(now);
    for (int i = 0; i < kMaxInFlight; i++)
      if (requests[i].link >= 0 && requests[i].state != kIdle && now - requests[i].started > patience)
        fail(&requests[i], "timeout");
  }
}
