/* The least that reading a capture costs: reads a classic pcap of Ethernet
 * frames in pieces of a mebibyte, follows the record headers, and looks at
 * Ethernet, VLAN tags, IP, ports and the first bytes of payloads. Keeps
 * nothing. What the sensor costs is told in multiples of this.
 *
 * usage: floor CAPTURE     prints how many frames of each kind there are
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 20, LONGEST = 1 << 18, FILE_HEADER = 24, RECORD_HEADER = 16 };
enum kind { OTHER, DNS, QUIC, UDP, HELLO, HTTP, TCP, KINDS };
static const char *const NAMES[KINDS] = {"other", "dns", "quic", "udp", "hello", "http", "tcp"};

static inline unsigned be16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

static inline enum kind of_tcp(const uint8_t *segment, const uint8_t *end) {
    if (end - segment < 20)
        return OTHER;
    const uint8_t *payload = segment + (segment[12] >> 4) * 4;
    if (end - payload < 6)
        return TCP;
    if (payload[0] == 22 && payload[1] == 3 && payload[5] == 1)
        return HELLO;
    if (!memcmp(payload, "GET ", 4) || !memcmp(payload, "POST", 4) || !memcmp(payload, "HEAD", 4))
        return HTTP;
    return TCP;
}

static inline enum kind of_udp(const uint8_t *datagram, const uint8_t *end) {
    if (end - datagram < 8)
        return OTHER;
    unsigned from = be16(datagram), to = be16(datagram + 2);
    if (from == 53 || to == 53)
        return DNS;
    return (from == 443 || to == 443) && end - datagram > 8 && datagram[8] & 0x80 ? QUIC : UDP;
}

static inline enum kind kind_of(const uint8_t *frame, uint32_t length) {
    const uint8_t *end = frame + length, *at = frame + 12;
    if (length < 34)
        return OTHER;
    unsigned type = be16(at);
    at += 2;
    while ((type == 0x8100 || type == 0x88a8) && end - at >= 4) {
        type = be16(at + 2);
        at += 4;
    }
    unsigned protocol;
    if (type == 0x0800 && end - at >= 20) {
        if (be16(at + 6) & 0x1fff)
            return OTHER; /* not the first fragment */
        protocol = at[9];
        at += (at[0] & 15) * 4;
    } else if (type == 0x86dd && end - at >= 40) {
        protocol = at[6];
        at += 40;
    } else {
        return OTHER;
    }
    return protocol == 6 ? of_tcp(at, end) : protocol == 17 ? of_udp(at, end) : OTHER;
}

int main(int count, char **arguments) {
    int file = count == 2 ? open(arguments[1], O_RDONLY) : -1;
    uint8_t *buffer = malloc(PIECE + LONGEST + RECORD_HEADER);
    if (file < 0 || !buffer) {
        fputs("usage: floor CAPTURE\n", stderr);
        return 2;
    }
    uint64_t seen[KINDS] = {0}, frames = 0;
    size_t held = 0, skip = FILE_HEADER;
    ssize_t got;
    while ((got = read(file, buffer + held, PIECE)) > 0) {
        held += (size_t)got;
        size_t at = 0;
        if (skip && held >= skip) {
            at = skip;
            skip = 0;
        }
        while (!skip && held - at >= RECORD_HEADER) {
            uint32_t length;
            memcpy(&length, buffer + at + 8, 4);
            if (length > LONGEST) {
                fputs("floor: not a little-endian pcap, or damaged\n", stderr);
                return 1;
            }
            if (held - at - RECORD_HEADER < length)
                break;
            seen[kind_of(buffer + at + RECORD_HEADER, length)]++;
            at += RECORD_HEADER + length;
            frames++;
        }
        memmove(buffer, buffer + at, held - at);
        held -= at;
    }
    printf("%llu frames", (unsigned long long)frames);
    for (int i = 0; i < KINDS; i++)
        printf(", %s %llu", NAMES[i], (unsigned long long)seen[i]);
    putchar('\n');
    return 0;
}
