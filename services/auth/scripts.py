"""Lua scripts for operations that Redis must perform atomically to avoid race conditions.

Example: a thief and the owner may send the same refresh token at the same time. The first request
must succeed, and the second must be detected. Therefore, one script checks and replaces the token.
"""

from typing import Final

TRY: Final = """
local pause_until = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
local now = tonumber(ARGV[1])
if pause_until > now then return {math.ceil(pause_until - now), 0} end
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
local pause = tonumber(ARGV[math.min(count, #ARGV - 2) + 2])
if pause == 0 then return {0, 0} end
redis.call('HSET', KEYS[1], 'until', now + pause)
return {0, 1}
"""
"""Count an attempt. KEYS: tries. ARGV: the current time, the seconds until the count is reset, then
the pause after each attempt (the last pause is used from then on). Returns the seconds to wait
before this attempt, and whether the attempt begins a pause."""

GIVE_BACK: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if redis.call('HINCRBY', KEYS[1], 'count', -1) <= 0 then redis.call('DEL', KEYS[1]) return end
if ARGV[1] == '1' then redis.call('HDEL', KEYS[1], 'until') end
"""
"""Subtract a successful attempt from the count. KEYS: tries. ARGV: whether the attempt began a
pause."""

SIGN_UP: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX') == false then return 0 end
redis.call('HSET', KEYS[2], 'email', ARGV[2], 'password', ARGV[3], 'created', ARGV[4])
return 1
"""
"""Store a new account. KEYS: email, account. ARGV: account id, e-mail address, password hash,
creation time. Returns 0 if the e-mail address is taken."""

ACCOUNT: Final = """
local id = redis.call('GET', KEYS[1])
if not id then return {} end
local fields = redis.call('HMGET', ARGV[1] .. 'account:' .. id, 'email', 'password', 'created')
return {id, fields[1], fields[2], fields[3]}
"""
"""Read an account. KEYS: email. ARGV: prefix. Returns the account's id, e-mail address, password
hash and creation time, or an empty list. A second round trip would reveal through its response
time that the account exists."""

REHASH: Final = """
if redis.call('HGET', KEYS[1], 'password') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'password', ARGV[2])
return 1
"""
"""Replace a password's hash. KEYS: account. ARGV: old hash, new hash. Returns 0 if the stored hash
is not the old hash: a login with the old password must not undo a password change."""

_END_SESSIONS: Final = """
local function end_sessions(of, prefix, except)
  local ended = 0
  for _, session in ipairs(redis.call('ZRANGE', of, 0, -1)) do
    if session ~= except then
      redis.call('DEL', prefix .. 'session:' .. session)
      redis.call('ZREM', of, session)
      ended = ended + 1
    end
  end
  return ended
end
"""

PASSWORD: Final = (
    _END_SESSIONS
    + """
if redis.call('HGET', KEYS[1], 'password') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'password', ARGV[4])
end_sessions(KEYS[2], ARGV[1], ARGV[2])
return 1
"""
)
"""Change a password and end the account's other sessions. KEYS: account, sessions. ARGV: prefix,
session to keep, old hash, new hash. Returns 0 if the stored hash is not the old hash."""

END_ALL: Final = _END_SESSIONS + "return end_sessions(KEYS[1], ARGV[1], '')"
"""End all of an account's sessions. KEYS: sessions. ARGV: prefix. Returns the number of sessions
that ended."""

END: Final = """
local session = redis.call('GET', KEYS[1])
if not session then return 0 end
local key = ARGV[1] .. 'session:' .. session
local account = redis.call('HGET', key, 'account')
if not account then return 0 end
redis.call('DEL', key)
redis.call('ZREM', ARGV[1] .. 'sessions:' .. account, session)
return 1
"""
"""End one session. KEYS: family. ARGV: prefix. Returns 0 if there was no session."""

LOGIN: Final = """
if redis.call('HGET', KEYS[5], 'password') ~= ARGV[8] then return 0 end
local now = tonumber(redis.call('TIME')[1])
redis.call('HSET', KEYS[1], 'account', ARGV[2], 'email', ARGV[3], 'refresh', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6])
redis.call('SET', KEYS[4], ARGV[5], 'EX', ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[6]))
redis.call('ZADD', KEYS[2], now, ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[6])
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[9])
if surplus > 0 then
  for _, oldest in ipairs(redis.call('ZRANGE', KEYS[2], 0, surplus - 1)) do
    redis.call('DEL', ARGV[1] .. 'session:' .. oldest)
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, surplus - 1)
end
return 1
"""
"""Begin a session. KEYS: session, sessions, family, access, account. ARGV: prefix, account id,
e-mail address, refresh token's hash, session id, refresh token's lifetime in seconds, access
token's lifetime in seconds, password hash that was verified, maximum number of sessions. The
account's oldest sessions end if there are too many. Returns 0 if the password has changed."""

REFRESH: Final = """
local session = redis.call('GET', KEYS[1])
if not session then return {'unknown'} end
local key = ARGV[1] .. 'session:' .. session
local fields = redis.call('HMGET', key, 'refresh', 'account', 'email')
if not fields[1] then return {'ended'} end
local sessions = ARGV[1] .. 'sessions:' .. fields[2]
if fields[1] ~= ARGV[2] then
  redis.call('DEL', key)
  redis.call('ZREM', sessions, session)
  return {'reused', fields[2]}
end
redis.call('HSET', key, 'refresh', ARGV[3])
redis.call('EXPIRE', key, ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], session, 'EX', ARGV[5])
redis.call('ZADD', sessions, redis.call('TIME')[1], session)
redis.call('EXPIRE', sessions, ARGV[4])
return {'renewed', fields[2], fields[3]}
"""
"""Renew a session. KEYS: family, new access. ARGV: prefix, old refresh token's hash, new refresh
token's hash, refresh token's lifetime in seconds, access token's lifetime in seconds.

If a refresh token is used twice, its session ends, because one of the two clients is a thief.
A grace period is not needed, because the site renews a login once for all of a browser's tabs.
"""

ACCESS: Final = """
local session = redis.call('GET', KEYS[1])
if not session then return {} end
local fields = redis.call('HMGET', ARGV[1] .. 'session:' .. session, 'account', 'email')
if not fields[1] then return {} end
return {session, fields[1], fields[2], redis.call('TTL', KEYS[1])}
"""
"""Read an access token's session. KEYS: access. ARGV: prefix. Returns the session id, account id,
e-mail address and seconds until the token expires, or an empty list. An access token becomes
invalid when its session ends."""

ADD_API: Final = """
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
return 1
"""
"""Store an API token. KEYS: API token, API tokens. ARGV: maximum number of tokens, creation time,
token id, names and values of the fields. Returns 0 if the account has the maximum number."""

USED: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'last_used', ARGV[1]) end
"""
"""Record that an API token was used. KEYS: API token. ARGV: the current time. Does nothing if the
token has been revoked."""

REVOKE: Final = """
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
"""
"""Revoke an API token. KEYS: API token, API tokens. ARGV: account id, token id. Returns 0 if the
account has no such token."""
