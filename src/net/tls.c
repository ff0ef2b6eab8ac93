/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

#include "core/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

struct tls_trust {
    gnutls_certificate_credentials_t credentials;
};

struct tls {
    gnutls_session_t session;
    char *host; /* GnuTLS keeps the pointer */
};

int tls_trust_new(const char *authority, struct tls_trust **ret_trust, struct err_info *reterr)
{
    struct tls_trust *trust = mem_calloc(1, sizeof *trust);
    if (!trust || gnutls_certificate_allocate_credentials(&trust->credentials) < 0) {
        mem_free(trust);
        return err_set(reterr, ERR_NOMEM, "not enough memory for TLS");
    }
    int n = authority
                ? gnutls_certificate_set_x509_trust_file(trust->credentials, authority, GNUTLS_X509_FMT_PEM)
                : gnutls_certificate_set_x509_system_trust(trust->credentials);
    if (n <= 0 && authority) {
        (void)tls_trust_free(trust);
        return err_set(reterr, ERR_INVALID, "%s: no certificate of an authority can be read there: %s",
                       authority, n < 0 ? gnutls_strerror(n) : "it holds none");
    }
    *ret_trust = trust; /* a system without authorities trusts nobody: the handshake says so */
    return 0;
}

struct tls_trust *tls_trust_free(struct tls_trust *trust)
{
    if (trust)
        gnutls_certificate_free_credentials(trust->credentials);
    return mem_free(trust);
}

static bool is_address(const char *host)
{
    unsigned char room[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, room) == 1 || inet_pton(AF_INET6, host, room) == 1;
}

int tls_new(const struct tls_trust *trust, int fd, const char *host, struct tls **ret_tls,
            struct err_info *reterr)
{
    struct tls *tls = mem_calloc(1, sizeof *tls);
    int code = GNUTLS_E_MEMORY_ERROR;

    if (tls && (tls->host = mem_strdup(host)))
        code = gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (code == 0)
        code = gnutls_set_default_priority(tls->session);
    if (code == 0)
        code = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, trust->credentials);
    if (code == 0 && !is_address(host)) /* the protocol has names only */
        code = gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, host, strlen(host));
    if (code < 0) {
        (void)tls_free(tls);
        return err_set(reterr, ERR_UNAVAILABLE, "TLS cannot be started: %s", gnutls_strerror(code));
    }
    gnutls_session_set_verify_cert(tls->session, tls->host, 0);
    gnutls_transport_set_int(tls->session, fd);
    *ret_tls = tls;
    return 0;
}

struct tls *tls_free(struct tls *tls)
{
    if (tls && tls->session) {
        (void)gnutls_bye(tls->session, GNUTLS_SHUT_WR); /* the socket is closed next, whatever comes of it */
        gnutls_deinit(tls->session);
    }
    if (tls)
        mem_free(tls->host);
    return mem_free(tls);
}

/* Why the certificate was refused, in words. */
static int refused(const struct tls *tls, struct err_info *reterr)
{
    unsigned status = gnutls_session_get_verify_cert_status(tls->session);
    const char *why = "it cannot be trusted";

    if (status & GNUTLS_CERT_EXPIRED)
        why = "it has expired";
    else if (status & GNUTLS_CERT_NOT_ACTIVATED)
        why = "it is not valid yet";
    else if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        why = "it is another host's";
    else if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE))
        why = "its authority is not trusted";
    return err_set(reterr, ERR_UNAVAILABLE, "the server's TLS certificate is refused: %s", why);
}

int tls_handshake(struct tls *tls, struct err_info *reterr)
{
    int code;
    do
        code = gnutls_handshake(tls->session);
    while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(code));
    if (code == GNUTLS_E_AGAIN)
        return gnutls_record_get_direction(tls->session) ? POLLOUT : POLLIN;
    if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        return refused(tls, reterr);
    if (code < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "no TLS can be agreed on: %s", gnutls_strerror(code));
    return 0;
}

static ssize_t result_of(ssize_t n)
{
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN ? EAGAIN : n == GNUTLS_E_INTERRUPTED ? EINTR : ECONNRESET;
    return -1;
}

ssize_t tls_read(struct tls *tls, void *data, size_t size)
{
    ssize_t n = gnutls_record_recv(tls->session, data, size);
    /* Keys may change and tickets may come at any time; a peer that leaves without a word has closed. */
    if (n < 0 && n != GNUTLS_E_AGAIN && !gnutls_error_is_fatal((int)n))
        n = GNUTLS_E_INTERRUPTED;
    return n == GNUTLS_E_PREMATURE_TERMINATION ? 0 : result_of(n);
}

ssize_t tls_write(struct tls *tls, const void *data, size_t size)
{
    return result_of(gnutls_record_send(tls->session, data, size));
}

bool tls_sha1(const char *text, char ret_hex[41])
{
    unsigned char digest[20];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) < 0)
        return false;
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
    return true;
}
