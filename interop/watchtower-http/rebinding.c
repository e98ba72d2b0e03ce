/* A resolver that changes its mind, put before the C library's: of the name in REBINDING the first answer is the address
 * in REBINDING_FIRST, every later one 127.0.0.1. Each look-up is a byte in the file REBINDING_ASKED.
 * Stands in for a name server that answers so: to ask one of ours, /etc/resolv.conf would have to be replaced. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static atomic_int times;
    const char *name = getenv("REBINDING"), *first = getenv("REBINDING_FIRST"), *asked = getenv("REBINDING_ASKED");
    resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!name || !first || !asked || !node || strcasecmp(node, name) != 0)
        return real(node, service, hints, found);
    int file = open(asked, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0 || write(file, "?", 1) != 1 || close(file) != 0)
        return EAI_FAIL;
    return real(atomic_fetch_add(&times, 1) == 0 ? first : "127.0.0.1", service, hints, found);
}
