/*
 * certificate: keys and certificates of a test. Include after cmocka.h. Link
 * PkgConfig::CRYPTO.
 */
#ifndef TESTS_LIB_CERTIFICATE_H
#define TESTS_LIB_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

struct certificate {
    X509 *cert;
    EVP_PKEY *pair;
};

/* What it says. */
struct certificate_wanted {
    const char *name;  /* common name */
    const char *names; /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
    int from_days;     /* from now */
    int to_days;
    bool is_ca;
    const struct certificate *issuer; /* NULL: itself */
};

static inline void
certificate_extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *one = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(one);
    assert_int_equal(X509_add_ext(cert, one, -1), 1);
    X509_EXTENSION_free(one);
}

static inline struct certificate
certificate_make(const struct certificate_wanted *wanted)
{
    static long serial;
    struct certificate made = {X509_new(), EVP_EC_gen("P-256")};
    const struct certificate *issuer =
        wanted->issuer != NULL ? wanted->issuer : &made;
    X509_NAME *subject;

    assert_non_null(made.cert);
    assert_non_null(made.pair);
    assert_int_equal(X509_set_version(made.cert, 2), 1);
    assert_int_equal(
        ASN1_INTEGER_set(X509_get_serialNumber(made.cert), ++serial), 1);
    assert_non_null(X509_time_adj_ex(X509_getm_notBefore(made.cert),
                                     wanted->from_days, 0, NULL));
    assert_non_null(X509_time_adj_ex(X509_getm_notAfter(made.cert),
                                     wanted->to_days, 0, NULL));
    assert_int_equal(X509_set_pubkey(made.cert, made.pair), 1);
    subject = X509_get_subject_name(made.cert);
    assert_int_equal(X509_NAME_add_entry_by_txt(
                         subject, "CN", MBSTRING_ASC,
                         (const unsigned char *)wanted->name, -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(made.cert, X509_get_subject_name(issuer->cert)),
        1);
    certificate_extend(made.cert, NID_basic_constraints,
                       wanted->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (wanted->names != NULL) {
        certificate_extend(made.cert, NID_subject_alt_name, wanted->names);
    }
    assert_true(X509_sign(made.cert, issuer->pair, EVP_sha256()) > 0);
    return made;
}

/* PEM files; the key is for the owner alone. A path may be NULL. */
static inline void
certificate_write(const struct certificate *one,
                  const char *cert_path,
                  const char *key_path)
{
    FILE *file;

    if (cert_path != NULL) {
        file = fopen(cert_path, "w");
        assert_non_null(file);
        assert_int_equal(PEM_write_X509(file, one->cert), 1);
        assert_int_equal(fclose(file), 0);
    }
    if (key_path != NULL) {
        file = fopen(key_path, "w");
        assert_non_null(file);
        assert_int_equal(
            PEM_write_PrivateKey(file, one->pair, NULL, NULL, 0, NULL, NULL),
            1);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(key_path, 0600), 0);
    }
}

static inline void
certificate_free(struct certificate *one)
{
    X509_free(one->cert);
    EVP_PKEY_free(one->pair);
    *one = (struct certificate){NULL, NULL};
}

#endif /* TESTS_LIB_CERTIFICATE_H */
