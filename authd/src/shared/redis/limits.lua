-- May somebody guess, and how did a guess end? Asked and counted at once, for all replicas, as the limits in memory do for one.
--
-- ARGV: what is to be done, whose clock counts, the caller's time, the limit, the window, the name of the guess; then, when it begins,
-- whether the pair is known already, and when it ended, its time as it was told, if it was. Times are in milliseconds.
--
-- KEYS: three for each subject: guesses that failed, guesses that are being tried (both by their time), and the block: until when,
-- and how many there were. An address comes first; then the account, and the account from this address. Last, where there is one, the
-- mark that somebody signed in to the account from this address.

local action, whose, given = ARGV[1], ARGV[2], tonumber(ARGV[3])
local limit, window, guess = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]

-- How long a guess is held whose replica went away before it ended: nobody learned how.
local HELD = 60 * 1000
-- The longest block, and how long it is remembered after its end.
local DAY = 24 * 60 * 60 * 1000
-- How long an account is known at an address.
local KNOWN = 30 * DAY

local function now()
  if whose == 'caller' then return given end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- How many seconds until the subject may guess again. Nothing is written for whoever may not.
local function wait(failed, tried, block, time)
  local ends = tonumber(redis.call('HGET', block, 'until') or '0')
  if ends > time then
    return math.max(1, math.ceil((ends - time) / 1000))
  end
  local function since(key, length)
    return redis.call('ZCOUNT', key, '(' .. string.format('%.0f', time - length), '+inf')
  end
  -- Guesses that are still being tried may all fail.
  return since(failed, window) + since(tried, HELD) >= limit and 1 or 0
end

local function forget(key, length, time)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', time - length)
end

local function fail(failed, block, time, grows)
  forget(failed, window, time)
  redis.call('ZADD', failed, time, guess)
  if redis.call('ZCARD', failed) < limit then
    redis.call('PEXPIRE', failed, window)
    return
  end
  redis.call('DEL', failed)
  local blocks = tonumber(redis.call('HGET', block, 'blocks') or '0')
  local doublings = grows and math.min(blocks, 16) or 0
  local length = math.min(window * 2 ^ doublings, math.max(DAY, window))
  redis.call('HSET', block, 'until', time + length, 'blocks', blocks + 1)
  redis.call('PEXPIRE', block, length + DAY)
end

local function reserve()
  local time, subjects = now(), { 1 }
  local is_known = #KEYS > 3 and (ARGV[7] == 'known' or redis.call('EXISTS', KEYS[10]) == 1)
  if #KEYS > 3 then
    subjects[2] = is_known and 7 or 4
  end
  local longest = 0
  for _, at in ipairs(subjects) do
    longest = math.max(longest, wait(KEYS[at], KEYS[at + 1], KEYS[at + 2], time))
  end
  if longest > 0 then
    return { 'wait', longest, is_known and 1 or 0 }
  end
  for _, at in ipairs(subjects) do
    -- A Redis that is full refuses this, and nothing was written before.
    redis.call('ZADD', KEYS[at + 1], time, guess)
    forget(KEYS[at + 1], HELD, time)
    redis.call('PEXPIRE', KEYS[at + 1], HELD)
  end
  return { 'guess', time, is_known and 1 or 0 }
end

-- The subjects are those that were counted when the guess began.
local function settle()
  local time = tonumber(ARGV[7]) or now()
  for at = 1, #KEYS - 2, 3 do
    local failed, tried, block, is_address = KEYS[at], KEYS[at + 1], KEYS[at + 2], at == 1
    redis.call('ZREM', tried, guess)
    if action == 'failed' then
      fail(failed, block, time, not is_address)
    elseif action == 'succeeded' and not is_address then
      redis.call('DEL', failed, block)
    end
  end
  if action == 'succeeded' and #KEYS % 3 == 1 then
    redis.call('SET', KEYS[#KEYS], '', 'PX', KNOWN)
  end
end

if action == 'probe' then
  return redis.call('SET', KEYS[1], now(), 'PX', 1000)
elseif action == 'reserve' then
  return reserve()
end
return settle()
