/* Sends the frames of a capture at a steady rate, again and again, and between
 * them lookups of a name of the catalogue, each by another host.
 *
 * usage: send INTERFACE CAPTURE RATE SECONDS PROBES
 *
 * RATE and PROBES are frames a second; a RATE of 0 sends only lookups. Says
 * how many frames were sent and at which rate. Needs the right to send raw
 * frames. The capture is a little-endian classic pcap of Ethernet frames, of
 * which the first 128 MiB are sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST = 128 << 20, TOGETHER = 32, LONGEST = 9000 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_until(double when) {
    for (double left; (left = when - now()) > 0;)
        if (left > 0.0002) {
            struct timespec t = {(time_t)(left / 2), (long)((left / 2 - (double)(time_t)(left / 2)) * 1e9)};
            nanosleep(&t, NULL);
        }
}

/* A lookup of s00.upd.kaspersky.com by host number `host`. */
static size_t make_probe(uint8_t *p, uint32_t host) {
    static const uint8_t frame[] = "\x02\0\0\0\0\x01\x02\0\0\0\0\0\x08\0"
                                   "\x45\0\0\x43\0\0\x40\0\x40\x11\0\0\x0a\x63\0\0\x0a\x14\xfa\x35"
                                   "\xc0\0\0\x35\0\x2f\0\0"
                                   "\0\0\1\0\0\1\0\0\0\0\0\0\3s00\3upd\11kaspersky\3com\0\0\1\0\1";
    size_t length = sizeof frame - 1;
    memcpy(p, frame, length);
    p[9] = (uint8_t)(host >> 16), p[27] = (uint8_t)(99 + (host >> 16)), p[10] = p[28] = (uint8_t)(host >> 8), p[11] = p[29] = (uint8_t)host;
    p[42] = (uint8_t)(host >> 8), p[43] = (uint8_t)host;
    uint32_t sum = 0;
    for (int i = 14; i < 34; i += 2)
        sum += i == 24 ? 0 : (uint32_t)p[i] << 8 | p[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    p[24] = (uint8_t)(sum >> 8), p[25] = (uint8_t)sum;
    return length;
}

static int open_interface(const char *name) {
    int s = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = 0, .sll_ifindex = (int)if_nametoindex(name)};
    if (s < 0 || !address.sll_ifindex || bind(s, (struct sockaddr *)&address, sizeof address)) {
        perror(name);
        exit(1);
    }
    setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
    return s;
}

static void send_all(int s, struct mmsghdr *m, unsigned n) {
    while (n) {
        int sent = sendmmsg(s, m, n, 0);
        if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
            perror("send");
            exit(1);
        }
        if (sent > 0)
            m += sent, n -= (unsigned)sent;
    }
}

/* When the next lookup is due, in seconds. Of an even beat all could fall on
 * the same moment of another's clock; parts of the golden ratio are spread. */
static double when_to_look(uint64_t looked, double probes) {
    double part = (double)looked * 0.6180339887498949;
    return ((double)looked + part - (double)(uint64_t)part) / probes;
}

int main(int count, char **arguments) {
    FILE *file = count == 6 ? fopen(arguments[2], "rb") : NULL;
    uint8_t *data = malloc(MOST);
    if (!file || !data) {
        fputs("usage: send INTERFACE CAPTURE RATE SECONDS PROBES\n", stderr);
        return 2;
    }
    int s = open_interface(arguments[1]);
    double rate = atof(arguments[3]), seconds = atof(arguments[4]), probes = atof(arguments[5]);
    size_t size = fread(data, 1, MOST, file), at = 24;
    uint8_t probe[128];
    struct iovec pieces[TOGETHER], one = {probe, 0};
    struct mmsghdr messages[TOGETHER], lookup;
    memset(messages, 0, sizeof messages);
    memset(&lookup, 0, sizeof lookup);
    for (int i = 0; i < TOGETHER; i++)
        messages[i].msg_hdr.msg_iov = &pieces[i], messages[i].msg_hdr.msg_iovlen = 1;
    lookup.msg_hdr.msg_iov = &one, lookup.msg_hdr.msg_iovlen = 1;
    uint64_t sent = 0, looked = 0;
    double start = now(), passed = 0;
    while ((passed = now() - start) < seconds) {
        double look = probes > 0 ? when_to_look(looked, probes) : seconds;
        if (probes > 0 && passed >= look) {
            one.iov_len = make_probe(probe, (uint32_t)++looked);
            send_all(s, &lookup, 1);
        }
        double due = passed * rate - (double)sent;
        if (due < 1) {
            double next = rate > 0 ? ((double)sent + 1) / rate : seconds;
            wait_until(start + (next < look ? next : look));
            continue;
        }
        unsigned n = 0;
        while (n < TOGETHER && n < due) {
            uint32_t length = 0;
            if (at + 16 <= size)
                memcpy(&length, data + at + 8, 4);
            if (!length || length > LONGEST || at + 16 + length > size) {
                at = 24;
                continue;
            }
            pieces[n++] = (struct iovec){data + at + 16, length};
            at += 16 + length;
        }
        send_all(s, messages, n);
        sent += n;
    }
    printf("%llu %.0f\n", (unsigned long long)(sent + looked), (double)(sent + looked) / passed);
    return 0;
}
