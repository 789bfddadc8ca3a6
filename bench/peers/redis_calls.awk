# Lines as calls of the function, `lines` to a call, in the protocol of Redis.
function flush_call(   i) {
    if (n == 0) return
    printf "*%d\r\n$5\r\nFCALL\r\n$6\r\ningest\r\n$1\r\n0\r\n", n + 3
    for (i = 1; i <= n; i++) printf "$%d\r\n%s\r\n", length(kept[i]), kept[i]
    n = 0
}
{ kept[++n] = $0; if (n == lines) flush_call() }
END { flush_call() }
