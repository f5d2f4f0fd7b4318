/* Writes a capture in which one thing varies: how many connections begin, how
 * many are under way, between how many hosts, how large packets are, how many
 * get lost or change places.
 *
 * usage: traffic [NAME=NUMBER]... > CAPTURE
 *
 *   packets  how many to write about                           (500000)
 *   flows    connections under way when the capture begins     (1000)
 *   hosts    addresses of clients                              (1000)
 *   begin    connections that begin, for each 1000 packets     (2)
 *   size     bytes of payload in a packet of bulk              (1200)
 *   loss     packets that the capture lacks, for each 10000    (0)
 *   swap     packets that change places with the next one of their
 *            connection, for each 10000                        (0)
 *   flood    1: only SYNs, each of another connection          (0)
 *
 * A connection that begins is a handshake, a ClientHello of 1,700 bytes in two
 * segments with a name of its own, a ServerHello and two segments more; then
 * it is one of those under way. Of those, one is picked by chance for each
 * packet of bulk; every third packet is a bare acknowledgement. The same
 * arguments give the same bytes. Says on standard error how many packets and
 * whole ClientHellos there are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYN = 2, PSH = 8, ACK = 16, HELLO = 1700, PART = 1380, OPENING = 8, LONGEST = 1460, HEADERS = 54 };

struct flow {
    uint32_t host, server, up, down;
    uint16_t port;
};

static struct option {
    const char *name;
    uint64_t value;
} options[] = {{"packets", 500000}, {"flows", 1000}, {"hosts", 1000}, {"begin", 2},
               {"size", 1200},      {"loss", 0},     {"swap", 0},     {"flood", 0}};
enum { PACKETS, FLOWS, HOSTS, BEGIN, SIZE, LOSS, SWAP, FLOOD, OPTIONS };
#define SET(option) (options[option].value)

static uint64_t state = 0x9e3779b97f4a7c15, written, names, micros;
static uint8_t payload[LONGEST], hello[HELLO];

/* xorshift64*, and a number below `most`. */
static uint64_t chance(uint64_t most) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint64_t)((unsigned __int128)(state * 0x2545f4914f6cdd1d) * most >> 64);
}

static void put16(uint8_t *p, unsigned v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }

/* The Internet checksum's sum over an even number of bytes. */
static uint64_t sum(const uint8_t *p, size_t n) {
    uint64_t s = 0;
    for (size_t i = 0; i + 1 < n; i += 2)
        s += (unsigned)p[i] << 8 | p[i + 1];
    return n & 1 ? s + ((unsigned)p[n - 1] << 8) : s;
}
static unsigned folded(uint64_t s) {
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (unsigned)~s & 0xffff;
}

struct packet {
    uint32_t length;
    uint8_t bytes[HEADERS + LONGEST];
};

static void make(struct packet *out, struct flow *f, int up, int flags, const uint8_t *data, unsigned n) {
    uint8_t *e = out->bytes, *ip = e + 14, *tcp = ip + 20;
    memset(e, 0, HEADERS);
    e[0] = e[6] = 2;
    put32(e + (up ? 8 : 2), f->host);
    e[12] = 8;
    ip[0] = 0x45, ip[8] = 64, ip[9] = 6, ip[6] = 0x40;
    put16(ip + 2, 40 + n);
    uint32_t host = 10u << 24 | f->host;
    put32(ip + 12, up ? host : f->server), put32(ip + 16, up ? f->server : host);
    put16(ip + 10, folded(sum(ip, 20)));
    put16(tcp, up ? f->port : 443), put16(tcp + 2, up ? 443 : f->port);
    uint32_t *sequence = up ? &f->up : &f->down;
    put32(tcp + 4, *sequence);
    if (flags & ACK)
        put32(tcp + 8, up ? f->down : f->up);
    tcp[12] = 0x50, tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 0xfaf0);
    memcpy(tcp + 20, data, n);
    put16(tcp + 16, folded(sum(ip + 12, 8) + 6 + 20 + n + sum(tcp, 20 + n)));
    *sequence += n + (flags & SYN ? 1 : 0);
    out->length = HEADERS + n;
}

/* Writes a packet unless it is lost; whether it was written. */
static int emit(const struct packet *p) {
    micros += 1 + chance(9);
    if (SET(LOSS) && chance(10000) < SET(LOSS))
        return 0;
    uint32_t record[4] = {(uint32_t)(1772438400 + micros / 1000000), (uint32_t)(micros % 1000000), p->length, p->length};
    if (fwrite(record, sizeof record, 1, stdout) != 1 || fwrite(p->bytes, p->length, 1, stdout) != 1) {
        perror("traffic");
        exit(1);
    }
    written++;
    return 1;
}

static int emit_all(const struct packet *p, int count) {
    int whole = 1;
    for (int i = 0; i < count; i++) {
        int swap = i + 1 < count && SET(SWAP) && chance(10000) < SET(SWAP);
        if (swap)
            whole &= emit(&p[i + 1]) | (i + 1 < 3 || i + 1 > 4);
        whole &= emit(&p[i]) | (i < 3 || i > 4);
        i += swap;
    }
    return whole;
}

static struct flow fresh(void) {
    uint64_t number = chance(SET(HOSTS));
    return (struct flow){.host = (uint32_t)number + 256,
                         .server = 0xc6330000 | (uint32_t)chance(1 << 16),
                         .up = (uint32_t)chance(1ull << 32),
                         .down = (uint32_t)chance(1ull << 32),
                         .port = (uint16_t)(32768 + chance(28000))};
}

/* A ClientHello whose name is of fixed length, padded (RFC 7685). */
static unsigned make_hello(uint64_t number) {
    char name[40];
    unsigned n = (unsigned)sprintf(name, "n%010llu.traffic.example.net", (unsigned long long)number);
    uint8_t *p = hello;
    memset(hello, 0, HELLO);
    p[0] = 22, p[1] = 3, p[2] = 1, put16(p + 3, HELLO - 5);
    p[5] = 1, put16(p + 7, HELLO - 9);
    p[9] = 3, p[10] = 3;
    for (int i = 0; i < 32; i++)
        p[11 + i] = (uint8_t)chance(256);
    p += 44;                              /* behind an empty session id */
    put16(p, 2), put16(p + 2, 0x1301);    /* cipher suites */
    p[4] = 1;                             /* compression: none */
    put16(p + 6, (unsigned)(hello + HELLO - (p + 8)));
    p += 8;
    put16(p + 2, n + 5), put16(p + 4, n + 3), put16(p + 7, n);
    memcpy(p + 9, name, n);
    p += 9 + n;
    put16(p, 43), put16(p + 2, 3), p[4] = 2, put16(p + 5, 0x0304);
    p += 7;
    put16(p, 21), put16(p + 2, (unsigned)(hello + HELLO - (p + 4)));
    return HELLO;
}

static void begin(struct flow *f) {
    static struct packet opening[OPENING];
    static const uint8_t answer[90] = {22, 3, 3, 0, 85, 2, 0, 0, 81, 3, 3};
    *f = fresh();
    make_hello(names);
    make(&opening[0], f, 1, SYN, hello, 0);
    make(&opening[1], f, 0, SYN | ACK, hello, 0);
    make(&opening[2], f, 1, ACK, hello, 0);
    make(&opening[3], f, 1, ACK, hello, PART);
    make(&opening[4], f, 1, PSH | ACK, hello + PART, HELLO - PART);
    make(&opening[5], f, 0, PSH | ACK, answer, sizeof answer);
    make(&opening[6], f, 1, PSH | ACK, payload, 80);
    make(&opening[7], f, 0, PSH | ACK, payload, 300);
    names += (uint64_t)emit_all(opening, OPENING);
}

static void bulk(struct flow *f, unsigned size) {
    static struct packet train[3];
    make(&train[0], f, 0, ACK, payload, size);
    make(&train[1], f, 0, PSH | ACK, payload, size);
    make(&train[2], f, 1, ACK, payload, 0);
    emit_all(train, 3);
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        int n = 0;
        while (n < OPTIONS && !(equals && !strncmp(arguments[i], options[n].name, (size_t)(equals - arguments[i])) &&
                                !options[n].name[equals - arguments[i]]))
            n++;
        if (n == OPTIONS) {
            fprintf(stderr, "traffic: what is %s?\n", arguments[i]);
            return 2;
        }
        SET(n) = strtoull(equals + 1, NULL, 10);
    }
    unsigned size = SET(SIZE) < LONGEST ? (unsigned)SET(SIZE) : LONGEST;
    uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};
    fwrite(header, sizeof header, 1, stdout);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(0x80 | chance(128));
    struct flow *flows = calloc(SET(FLOWS) + 1, sizeof *flows);
    if (!flows)
        return 1;
    for (uint64_t i = 0; i < SET(FLOWS); i++)
        flows[i] = fresh();
    static struct packet syn;
    while (written < SET(PACKETS)) {
        if (SET(FLOOD)) {
            struct flow f = fresh();
            make(&syn, &f, 1, SYN, payload, 0);
            emit(&syn);
        } else if (chance(1000) < SET(BEGIN) * 3) { /* a train of bulk has three packets */
            begin(&flows[chance(SET(FLOWS))]);
        } else {
            bulk(&flows[chance(SET(FLOWS))], size);
        }
    }
    fprintf(stderr, "%llu %llu\n", (unsigned long long)written, (unsigned long long)names);
    return 0;
}
