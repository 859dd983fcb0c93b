"""Lua scripts for what Redis must do in one step, where a read and then a write would race.

Rule: a thief and the owner may send the same refresh token at the same moment. One must win and
the other must be detected, so nothing may happen between the check and the change.
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
"""KEYS: tries. ARGV: now, seconds until the count is forgotten, then the pause after each attempt,
the last for all that follow. Returns the seconds to wait before this attempt, and whether it
begins a pause."""

GIVE_BACK: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if redis.call('HINCRBY', KEYS[1], 'count', -1) <= 0 then redis.call('DEL', KEYS[1]) return end
if ARGV[1] == '1' then redis.call('HDEL', KEYS[1], 'until') end
"""
"""KEYS: tries. ARGV: whether the attempt, which succeeded, began a pause."""

SIGN_UP: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX') == false then return 0 end
redis.call('HSET', KEYS[2], 'email', ARGV[2], 'password', ARGV[3], 'created', ARGV[4])
return 1
"""
"""KEYS: email, account. ARGV: account id, e-mail, password's hash, created. 0 when it is taken."""

ACCOUNT: Final = """
local id = redis.call('GET', KEYS[1])
if not id then return {} end
local fields = redis.call('HMGET', ARGV[1] .. 'account:' .. id, 'email', 'password', 'created')
return {id, fields[1], fields[2], fields[3]}
"""
"""KEYS: email. ARGV: prefix. Returns id, e-mail, password's hash and created, or nothing. One
round trip in both cases: a second one would reveal by its time that the account exists."""

REHASH: Final = """
if redis.call('HGET', KEYS[1], 'password') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'password', ARGV[2])
return 1
"""
"""KEYS: account. ARGV: old hash, new hash. Returns 0 when the hash has changed since it was read:
a login with the old password must not undo a new one."""

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
"""KEYS: account, sessions. ARGV: prefix, the session to keep, old hash, new hash. Returns 0 when
the password has changed since it was read. Old logins end in the same step."""

END_ALL: Final = _END_SESSIONS + "return end_sessions(KEYS[1], ARGV[1], '')"
"""KEYS: sessions. ARGV: prefix. Returns how many sessions it ended."""

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
"""KEYS: family. ARGV: prefix. Returns 0 when there was no session."""

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
"""KEYS: session, sessions, family, access, account. ARGV: prefix, account, e-mail, refresh token's
hash, session id, lifetimes in seconds of the refresh and the access token, the password's hash
that was verified, most sessions (the oldest end). Returns 0 when the password has changed since."""

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
"""KEYS: family, new access. ARGV: prefix, hashes of the old and the new refresh token, lifetimes in
seconds of the refresh and the access token.

A refresh token that is used twice ends its whole session: one of its two holders is a thief. There
is no grace period: the site renews once for all of a browser's tabs, and a thief is quick.
"""

ACCESS: Final = """
local session = redis.call('GET', KEYS[1])
if not session then return {} end
local fields = redis.call('HMGET', ARGV[1] .. 'session:' .. session, 'account', 'email')
if not fields[1] then return {} end
return {session, fields[1], fields[2], redis.call('TTL', KEYS[1])}
"""
"""KEYS: access. ARGV: prefix. Returns session, account, e-mail and seconds left, or nothing. An
access token ends with its session."""

ADD_API: Final = """
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
return 1
"""
"""KEYS: API token, API tokens. ARGV: most, created, id, fields. Returns 0 at the limit."""

USED: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'last_used', ARGV[1]) end
"""
"""KEYS: API token. ARGV: now. Does not bring a revoked token back."""

REVOKE: Final = """
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
"""
"""KEYS: API token, API tokens. ARGV: account, id. Returns 0 when it is not this account's."""
