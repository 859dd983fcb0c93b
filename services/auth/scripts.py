"""What Redis does in one step: Lua scripts, in place of reading first and writing then.

Rule: two requests with one refresh token arrive at the same moment, from the thief and from the
owner. One of them must win and the other be seen: no time may pass between look and change.
"""

from typing import Final

TRY: Final = """
local pause_until = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
local now = tonumber(ARGV[1])
if pause_until > now then return {0, math.ceil(pause_until - now)} end
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
local pause = tonumber(ARGV[math.min(count, #ARGV - 2) + 2])
if pause > 0 then redis.call('HSET', KEYS[1], 'until', now + pause) end
return {count, 0}
"""
"""KEYS: tries. ARGV: now, seconds to forget, then the pause after each try, the last for all that
follow. Returns the count of this try, seconds to wait."""

SIGN_UP: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX') == false then return 0 end
redis.call('HSET', KEYS[2], 'email', ARGV[2], 'password', ARGV[3], 'created', ARGV[4])
return 1
"""
"""KEYS: email, account. ARGV: account id, e-mail, password's hash, created. 0 when taken."""

REFRESH: Final = """
local session = redis.call('GET', ARGV[1] .. 'refresh:' .. ARGV[2])
if not session then return {'unknown'} end
local key = ARGV[1] .. 'session:' .. session
local told = redis.call('HMGET', key, 'refresh', 'account', 'email')
if not told[1] then return {'ended'} end
if told[1] ~= ARGV[2] then
  redis.call('DEL', key)
  redis.call('SREM', ARGV[1] .. 'sessions:' .. told[2], session)
  return {'reused', told[2]}
end
redis.call('HSET', key, 'refresh', ARGV[3])
redis.call('EXPIRE', key, ARGV[5])
redis.call('EXPIRE', ARGV[1] .. 'refresh:' .. ARGV[2], ARGV[5])
redis.call('SET', ARGV[1] .. 'refresh:' .. ARGV[3], session, 'EX', ARGV[5])
redis.call('SET', ARGV[1] .. 'access:' .. ARGV[4], session, 'EX', ARGV[6])
redis.call('EXPIRE', ARGV[1] .. 'sessions:' .. told[2], ARGV[5])
return {'renewed', told[2], told[3]}
"""
"""ARGV: prefix, old refresh, new refresh, new access (all hashed), their seconds.

A used refresh token ends its whole session: one of its two holders is a thief.
"""

LOGIN: Final = """
redis.call('HSET', KEYS[1], 'account', ARGV[1], 'email', ARGV[2], 'refresh', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5])
redis.call('SET', KEYS[4], ARGV[4], 'EX', ARGV[6])
"""
"""KEYS: session, sessions, refresh, access. ARGV: account, e-mail, refresh's hash, session id,
seconds of the refresh token and of the access token."""

ACCESS: Final = """
local session = redis.call('GET', KEYS[1])
if not session then return {} end
local told = redis.call('HMGET', ARGV[1] .. 'session:' .. session, 'account', 'email')
if not told[1] then return {} end
return {session, told[1], told[2], redis.call('TTL', KEYS[1])}
"""
"""KEYS: access. ARGV: prefix. Session, account, e-mail, seconds left; nothing when it is nobody's:
an access token ends with its session."""

ADD_API: Final = """
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
return 1
"""
"""KEYS: API token, API tokens. ARGV: most, created, id, then fields. 0 when there are too many."""

REVOKE: Final = """
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
"""
"""KEYS: API token, API tokens. ARGV: account, id. 0 when it is not this account's."""
