# Rules -> the schema of PostgreSQL: a trigger judges and counts repeat calls
# row by row, another one adds up the counters of a statement.
BEGIN {
    FS = "\t"
    print "CREATE EXTENSION plpython3u;"
    print "CREATE TABLE ticket (seq bigserial PRIMARY KEY, id text, accepted_at timestamptz, caller text, hits bigint, repeats int, raw text);"
    print "CREATE INDEX ON ticket (caller, accepted_at);"
    print "CREATE TABLE counter (day date, bit int, tickets bigint, PRIMARY KEY (day, bit));"
    print "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpython3u AS $judge$"
    print "import json, re"
    print "if 'rules' not in SD:"
    print "    SD['calls'] = plpy.prepare(\"SELECT count(*) AS n FROM ticket WHERE caller = $1 AND accepted_at >= $2 - interval '30 days' AND accepted_at < $2\", ['text', 'timestamptz'])"
    print "    SD['rules'] = [(1 << bit, re.compile(pattern, re.S).search) for bit, pattern in ["
}
{
    pattern = $3
    gsub(/\\/, "\\\\\\\\", pattern)
    gsub(/"/, "\\\\\"", pattern)
    print "        (" $1 ", \"" pattern "\"),"
}
END {
    print "    ]]"
    print "new = TD['new']"
    print "ticket = json.loads(new['raw'])"
    print "text = ticket['text']"
    print "hits = 0"
    print "for mask, search in SD['rules']:"
    print "    if not hits & mask and search(text): hits |= mask"
    print "new['id'] = ticket['id']"
    print "new['accepted_at'] = ticket['accepted_at']"
    print "new['hits'] = hits"
    print "caller = ticket.get('caller')"
    print "new['caller'] = caller"
    print "new['repeats'] = plpy.execute(SD['calls'], [caller, new['accepted_at']])[0]['n'] if caller else 0"
    print "return 'MODIFY'"
    print "$judge$;"
    print "CREATE TRIGGER judge BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION judge();"
    print "CREATE FUNCTION add_up() RETURNS trigger LANGUAGE plpgsql AS $add$ BEGIN"
    print "INSERT INTO counter SELECT accepted_at::date, bit, count(*) FROM rows, generate_series(0, 62) AS bit WHERE hits >> bit & 1 = 1 GROUP BY 1, 2 ORDER BY 1, 2 ON CONFLICT (day, bit) DO UPDATE SET tickets = counter.tickets + excluded.tickets;"
    print "RETURN NULL; END $add$;"
    print "CREATE TRIGGER add_up AFTER INSERT ON ticket REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION add_up();"
}
