#!/usr/bin/env bash
# Whoever is to be told about a run is told: the commands after it and the ping, of success and of failure.
. "$(dirname "$0")/lib.bash"

web=$(free_port)
"$python" - "$web" "$world/pings" <<'END' &
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[2], "a") as f:
            f.write(self.path + "\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *a):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
END
servers+=("$!")
for ((i = 0; i < 100; i++)); do ! (: <"/dev/tcp/127.0.0.1/$web") 2>/dev/null || break; sleep 0.1; done

as one
mkdir "$world/tree"
echo text >"$world/tree/file"
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
cat >"$STILLPOINT_CONFIG_DIR/stillpoint.conf" <<END
[nightly]
repository = $world/repository
path = $world/tree
on-success = echo "\$STILLPOINT_JOB well" >>$world/told
on-failure = echo "\$STILLPOINT_JOB failed" >>$world/told
ping-url = http://127.0.0.1:$web/ping
END
quiet "$stillpoint" backup nightly
[[ $(cat "$world/told") == 'nightly well' ]] || fail "told after a success: $(cat "$world/told")"
[[ $(cat "$world/pings") == /ping ]] || fail "pinged after a success: $(cat "$world/pings")"

mv "$world/repository" "$world/elsewhere"
code=0
"$stillpoint" backup nightly >/dev/null 2>&1 || code=$?
[[ $code == 6 ]] || fail "exit $code without the repository"
[[ $(tail -n 1 "$world/told") == 'nightly failed' ]] || fail "told after a failure: $(cat "$world/told")"
[[ $(tail -n 1 "$world/pings") == /ping/fail ]] || fail "pinged after a failure: $(cat "$world/pings")"

# nobody listens: a warning, and the run is what it was
mv "$world/elsewhere" "$world/repository"
sed -i "s|:$web/|:1/|" "$STILLPOINT_CONFIG_DIR/stillpoint.conf"
expect 0 'the ping failed' "$stillpoint" backup nightly
echo "told: ok"
