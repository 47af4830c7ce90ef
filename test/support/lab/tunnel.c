// A tunnel between two hosts of a lab: a tun device at each end, and this program carries packets between them.
// tunnel NETNS DEVICE NETNS DEVICE [offload|tagged|TYPE]. `offload`: large frames and unfinished checksums pass as they
// are. `tagged`: tap devices, Ethernet, and what has no 802.1Q tag arrives with one of priority 5 and VLAN id 0. TYPE: the
// devices say that they are of this ARPHRD_ type.
// Prints "ready" when both devices are there; the devices go with it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int open_end(const char *netns, const char *device, int is_offloaded, int is_tagged, int type) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", netns);
  const int ns = open(path, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) != 0) return -1;
  close(ns);
  const int end = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  struct ifreq request = {.ifr_flags = (is_tagged ? IFF_TAP : IFF_TUN) | IFF_NO_PI | (is_offloaded ? IFF_VNET_HDR : 0)};
  strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  if (end < 0 || ioctl(end, TUNSETIFF, &request) != 0) return -1;
  if (is_offloaded && ioctl(end, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) return -1;
  if (type > 0 && ioctl(end, TUNSETLINK, type) != 0) return -1;
  return end;
}

int main(int count, char **arguments) {
  if (count < 5) return 2;
  const int is_offloaded = count > 5 && strcmp(arguments[5], "offload") == 0;
  const int is_tagged = count > 5 && strcmp(arguments[5], "tagged") == 0;
  const int type = count > 5 ? atoi(arguments[5]) : 0;
  struct pollfd ends[2] = {{.events = POLLIN}, {.events = POLLIN}};
  for (int i = 0; i < 2; i++) {
    ends[i].fd = open_end(arguments[1 + 2 * i], arguments[2 + 2 * i], is_offloaded, is_tagged, type);
    if (ends[i].fd < 0) {
      perror(arguments[2 + 2 * i]);
      return 1;
    }
  }
  printf("ready\n");
  fflush(stdout);
  enum { kMacs = 12, kTag = 4 };
  static const char tag[kTag] = {(char)0x81, 0, 5 << 5, 0};
  static char room[kTag + (1 << 17)];
  char *const packet = room + kTag;
  for (;;) {
    if (poll(ends, 2, -1) < 0) return 1;
    for (int i = 0; i < 2; i++) {
      ssize_t size;
      // What the other end does not take is lost, as on any wire.
      while ((size = read(ends[i].fd, packet, sizeof room - kTag)) > 0) {
        char *frame = packet;
        if (is_tagged && memcmp(packet + kMacs, tag, 2) != 0) {
          memmove(room, packet, kMacs);
          memcpy(room + kMacs, tag, kTag);
          frame = room;
          size += kTag;
        }
        (void)!write(ends[1 - i].fd, frame, (size_t)size);
      }
    }
  }
}
