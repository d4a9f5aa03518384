/**
 * KEYS: the record, the tenant's fence. ARGV: fingerprint, lease and lifetime in milliseconds. Time is the server's, so
 * that replicas agree about leases; the fence outlives records, so that no token is given twice.
 */
export const begin = `
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'state', 'lease', 'response')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = record[1]
if known then
  if known ~= ARGV[1] then return {'mismatch'} end
  if record[2] == 'done' then return {'replay', record[4]} end
  if tonumber(record[3]) > now then return {'inflight', tonumber(record[3]) - now} end
end
local token = redis.call('INCR', KEYS[2])
local lease = string.format('%d', now + ARGV[2])
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'state', 'inflight', 'lease', lease, 'token', token)
if not known then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {'new', token, known and 1 or 0}
`

/** KEYS: the record. ARGV: the token, the answer; an empty one takes the record away. */
export const done = `
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'state', 'done', 'response', ARGV[2])
return 1
`
