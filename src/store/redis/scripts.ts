/**
 * What Redis itself runs. Every request is one script, which Redis carries out at one moment. KEYS, all in one slot of a cluster:
 *
 *     entries   a hash: key → the revision that wrote it, as 16 digits, and the value, which is never looked into
 *     order     a sorted set of the same keys, all with score 0, which Redis keeps in the order of their bytes
 *     meta      a hash: the format, the last revision, and the last store time in microseconds
 *
 * Numbers are never made into text by Lua itself, which would round them to 14 digits.
 */

const beginning = `
local entries, order, meta = KEYS[1], KEYS[2], KEYS[3]
-- Before Redis 7: replicate what the script wrote, not the script, which asks for the time.
if redis.replicate_commands then redis.replicate_commands() end

local state = redis.call('HMGET', meta, 'format', 'revision', 'time')
if state[1] and state[1] ~= '1' then return redis.error_reply('ENGRAMFORMAT ' .. state[1]) end
local last = tonumber(state[2] or 0)
local clock = redis.call('TIME')
-- Store time does not go back, whatever this server's clock, or that of the server before it, does.
local now = math.max(clock[1] * 1000000 + clock[2], tonumber(state[3] or 0))
local function digits(number) return string.format('%.0f', number) end

-- A small set is a list, in which Redis searches from the beginning, unless it has a long member. This one is behind all others.
if not state[1] then redis.pcall('ZADD', order, 0, string.rep('\\255', 65)) end

-- As many arguments as Lua's stack surely takes.
local most = 4000

local function call(command, key, list)
  for from = 1, #list, most do
    redis.call(command, key, unpack(list, from, math.min(from + most - 1, #list)))
  end
end

local function values(list, first, past)
  if past - first <= most then
    if past == first then return {} end
    return redis.call('HMGET', entries, unpack(list, first, past - 1))
  end
  local found = {}
  for from = first, past - 1, most do
    local some = redis.call('HMGET', entries, unpack(list, from, math.min(from + most, past) - 1))
    for i = 1, #some do found[from - first + i] = some[i] end
  end
  return found
end

-- A range is three arguments: where it begins, its prefix, and its limit. No UTF-8 text has a byte 255.
local function keysIn(at)
  return redis.call('ZRANGEBYLEX', order, ARGV[at], '(' .. ARGV[at + 1] .. '\\255', 'LIMIT', 0, ARGV[at + 2])
end
`;

/**
 * ARGV: the channel for hints, how many keys are expected, those keys, and their revisions in one text, 16 digits each; then each change: its shape,
 * the ranges it expects, and what its letters and lists need. A shape is "LETTERS RANGES LISTS NOT-AFTER", the last of which may be empty. A letter
 * says what becomes of a key:
 *
 *     k  expected, and kept as it is          a  expected to be absent, and put: the value follows
 *     r  expected, and removed                p  expected to stand there, and put: the value follows
 *     P  put: the key and the value follow    R  removed: the key follows
 *
 * All is judged before the first write: Redis undoes nothing of a script that fails.
 *
 * Returns the store time, the revision, and for each change that was not applied its place, 1 if it was late, and what was found.
 */
export const commitScript = `${beginning}
local revision = math.max(last + 1, now)
if revision > 9007199254740991 then return redis.error_reply('ENGRAMREVISION ' .. digits(revision)) end
local written = string.format('%016.0f', revision)

local sub, byte = string.sub, string.byte
local kept, removedHere, addedHere, putHere, put = byte('krapP', 1, 5)
local absent = string.rep('0', 16)

local expected = tonumber(ARGV[2])
local found = values(ARGV, 3, 3 + expected)
local revisions = ARGV[3 + expected]
local shapes = {}
local fields, added, removed, announced = {}, {}, {}, {}
local fieldCount, addedCount, removedCount = 0, 0, 0
local refusals = {}
local applied = false

local function shapeOf(text)
  local letters, ranges, lists, notAfter = string.match(text, '^(%a*) (%d+) (%d+) (.*)$')
  local shape = {
    length = #letters, expects = #string.gsub(letters, '[PR]', ''), arguments = 0,
    ranges = tonumber(ranges), lists = tonumber(lists),
    late = notAfter ~= '' and now / 1000 > tonumber(notAfter)
  }
  for n = 1, #letters do
    local letter = byte(letters, n)
    shape[n] = letter
    local takes = letter == put and 2 or (letter == kept or letter == removedHere) and 0 or 1
    shape.arguments = shape.arguments + takes
  end
  shapes[text] = shape
  return shape
end

local function isUnchanged(at)
  local since = tonumber(ARGV[at + 3])
  if last <= since then return true end
  local keys = keysIn(at)
  for _, value in ipairs(values(keys, 1, #keys + 1)) do
    if tonumber(sub(value, 1, 16)) > since then return false end
  end
  return true
end

local place = 0
local key = 0
local at = 4 + expected
local arguments = #ARGV
while at <= arguments do
  place = place + 1
  local shape = shapes[ARGV[at]] or shapeOf(ARGV[at])
  at = at + 1

  local expects = shape.expects
  local holds = not shape.late
  for n = key + 1, key + expects do
    local value = found[n]
    if (value and sub(value, 1, 16) or absent) ~= sub(revisions, 16 * n - 15, 16 * n) then
      holds = false
      break
    end
  end
  for _ = 1, shape.ranges do
    holds = holds and isUnchanged(at)
    at = at + 4
  end

  if holds then
    applied = true
    for n = 1, shape.length do
      local letter = shape[n]
      if letter ~= kept then
        local name
        if n <= expects then
          name = ARGV[2 + key + n]
        else
          name = ARGV[at]
          at = at + 1
        end
        if letter == addedHere or letter == putHere or letter == put then
          fields[fieldCount + 1] = name
          fieldCount = fieldCount + 2
          fields[fieldCount] = written .. ARGV[at]
          at = at + 1
          if letter ~= putHere then
            added[addedCount + 1] = '0'
            addedCount = addedCount + 2
            added[addedCount] = name
          end
        else
          removedCount = removedCount + 1
          removed[removedCount] = name
        end
      end
    end
    if shape.lists > 0 then announced[#announced + 1] = ARGV[at] end
    at = at + shape.lists
  else
    local known = {}
    for n = 1, expects do known[n] = found[key + n] end
    refusals[#refusals + 1] = {place, shape.late and 1 or 0, known}
    at = at + shape.arguments + shape.lists
  end
  key = key + expects
end

-- Removals come first: a server that is full takes them, and after a write it takes the rest of the script.
call('HDEL', entries, removed)
call('ZREM', order, removed)
call('HSET', entries, fields)
call('ZADD', order, added)
if applied then last = revision end
redis.call('HSET', meta, 'format', '1', 'revision', digits(last), 'time', digits(now))
-- A hint that may not be sent is a lost hint.
if #announced > 0 then redis.pcall('PUBLISH', ARGV[1], '[' .. digits(revision) .. ',' .. table.concat(announced, ',') .. ']') end
return {digits(now), digits(last), refusals}
`;

/**
 * ARGV: how many keys are asked for, those keys, and then the ranges.
 *
 * Returns the store time, the revision of the last commit, the value of each key, and the keys and values of each range.
 */
export const readScript = `${beginning}
-- A time that was told must not be told again as a later one's past. A server that takes no writes just now is read all the same; not a replica,
-- whose answer may be of any age.
local noted = redis.pcall('HSET', meta, 'format', '1', 'time', digits(now))
if type(noted) == 'table' and noted.err and string.find(noted.err, 'READONLY', 1, true) then return noted end

local asked = tonumber(ARGV[1])
local ranges = {}
for at = asked + 2, #ARGV, 3 do
  local keys = keysIn(at)
  ranges[#ranges + 1] = {keys, values(keys, 1, #keys + 1)}
end
return {digits(now), digits(last), values(ARGV, 2, 2 + asked), ranges}
`;

/**
 * Does everything once that the other scripts do, without effect: a user who may do only some of it would leave half a commit behind. The removal comes
 * first, because a full server takes that, and after it the rest.
 *
 * Returns what this very server says of itself, as `INFO` does.
 */
export const trialScript = `${beginning}
redis.call('HDEL', meta, 'trial')
redis.call('ZREM', order, '\\255')
redis.call('HMGET', entries, 'trial')
redis.call('ZRANGEBYLEX', order, '(\\255', '(\\255', 'LIMIT', 0, 1)
redis.call('ZADD', order, 0, string.rep('\\255', 65))
redis.call('HSET', meta, 'format', '1')
return redis.call('INFO')
`;
