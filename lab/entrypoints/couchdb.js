// A substitute for CouchDB 3: pouchdb-server behind a small HTTP proxy.
//
// The proxy adds GET /_up. Like CouchDB 3, it requires the administrator's name and password if
// they are set, either by COUCHDB_USER and COUCHDB_PASSWORD or in the section [admins] of
// /opt/couchdb/etc/local.d/*.ini.
"use strict";
const { spawn } = require("node:child_process");
const { createHash, timingSafeEqual } = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");

const OPEN = new Set(["/", "/_up"]);
const INNER = { host: "127.0.0.1", port: 5985 };
const SETTINGS = "/opt/couchdb/etc/local.d";

function administrators() {
  const found = [];
  if (process.env.COUCHDB_USER && process.env.COUCHDB_PASSWORD)
    found.push(`${process.env.COUCHDB_USER}:${process.env.COUCHDB_PASSWORD}`);
  for (const name of fs.existsSync(SETTINGS) ? fs.readdirSync(SETTINGS) : []) {
    if (!name.endsWith(".ini")) continue;
    let section = "";
    for (const line of fs.readFileSync(`${SETTINGS}/${name}`, "utf8").split("\n")) {
      const heading = line.match(/^\s*\[(.+)\]\s*$/);
      const entry = line.match(/^\s*([^;=\s]+)\s*=\s*(.*?)\s*$/);
      if (heading) section = heading[1];
      else if (section === "admins" && entry) found.push(`${entry[1]}:${entry[2]}`);
    }
  }
  return found;
}

const digest = (text) => createHash("sha256").update(text).digest();
const known = administrators().map((pair) => digest(`Basic ${Buffer.from(pair).toString("base64")}`));

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

const server = http.createServer((request, response) => {
  const path = request.url.split("?")[0];
  const given = digest(request.headers.authorization ?? "");
  if (known.length && !OPEN.has(path) && !known.some((one) => timingSafeEqual(one, given)))
    return answer(
      response,
      401,
      { error: "unauthorized", reason: "You are not a server admin." },
      { "WWW-Authenticate": 'Basic realm="server"' },
    );
  // pouchdb-server has no users, so it would reject any name.
  const { authorization, ...headers } = request.headers;
  const target = path === "/_up" ? "/" : request.url;
  const inner = http.request(
    { ...INNER, method: request.method, path: target, headers, agent: false },
    (found) => {
      if (path === "/_up") {
        found.resume();
        return answer(response, found.statusCode, { status: "ok", seeds: {} });
      }
      response.writeHead(found.statusCode, found.headers);
      found.pipe(response);
    },
  );
  inner.on("error", () =>
    response.headersSent ? response.destroy() : answer(response, 503, { status: "starting" }),
  );
  // If a client disconnects from a _changes feed, end the feed.
  response.on("close", () => inner.destroy());
  request.pipe(inner);
});

// By default, pouchdb-server logs every request.
fs.writeFileSync("/tmp/pouchdb.json", '{"log": {"level": "error", "file": "/tmp/pouchdb.log"}}');
const child = spawn(
  process.execPath,
  ["/opt/couchdb/lib/node_modules/pouchdb-server/bin/pouchdb-server", "--host", INNER.host, "--port",
    String(INNER.port), "--dir", "/opt/couchdb/data", "--config", "/tmp/pouchdb.json",
    "--no-stdout-logs"],
  { cwd: "/tmp", stdio: ["ignore", "ignore", "inherit"] },
);
child.on("exit", (code, signal) => process.exit(signal === "SIGTERM" ? 0 : code || 1));
for (const name of ["SIGTERM", "SIGINT"]) process.on(name, () => child.kill("SIGTERM"));
server.requestTimeout = 0;
server.listen(5984, "0.0.0.0");
