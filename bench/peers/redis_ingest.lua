-- Redis has no regular expressions: this compiles the exported ones (literals,
-- anchors, classes, `.`, groups, | ? * + {n,m}) into Lua functions, and finds the places
-- where one can begin by its first two characters. RULES stands before it.
local function chars_of(text)
  local out, n = {}, 0
  for c in text:gmatch('[%z\1-\127\194-\244][\128-\191]*') do n = n + 1; out[n] = c end
  return out, n
end

-- pattern -> tree: {'char', set, negated} {'any'} {'begin'} {'end'} {'seq', ...} {'alt', ...} {'rep', node, min, max}
local function parse(pattern)
  local c, count = chars_of(pattern)
  local at = 1
  local alternatives

  local function class()
    local set, negated = {}, false
    at = at + 1
    if c[at] == '^' then negated = true; at = at + 1 end
    while c[at] ~= ']' do
      local from = c[at]
      if from == '\\' then at = at + 1; from = c[at] end
      if c[at + 1] == '-' and c[at + 2] ~= ']' then
        for byte = from:byte(), c[at + 2]:byte() do set[string.char(byte)] = true end
        at = at + 3
      else
        set[from] = true
        at = at + 1
      end
    end
    at = at + 1
    return { 'char', set, negated }
  end

  local function atom()
    local x = c[at]
    if x == '(' then
      at = at + 1
      if c[at] == '?' then at = at + 2 end
      local node = alternatives()
      at = at + 1
      return node
    end
    if x == '[' then return class() end
    if x == '.' then at = at + 1; return { 'any' } end
    if x == '^' then at = at + 1; return { 'begin' } end
    if x == '$' then at = at + 1; return { 'end' } end
    if x == '\\' then
      at = at + 1
      x = c[at]
      if x == 'd' then
        at = at + 1
        local set = {}
        for byte = 48, 57 do set[string.char(byte)] = true end
        return { 'char', set, false }
      end
      if x:match('%a') then error('escape ' .. x) end
    end
    at = at + 1
    return { 'char', { [x] = true }, false }
  end

  local function repeated()
    local node = atom()
    while true do
      local x, min, max = c[at], nil, nil
      if x == '?' then min, max = 0, 1
      elseif x == '*' then min, max = 0, 1 / 0
      elseif x == '+' then min, max = 1, 1 / 0
      elseif x == '{' then
        local text = ''
        at = at + 1
        while c[at] ~= '}' do text = text .. c[at]; at = at + 1 end
        local low, comma, high = text:match('^(%d+)(,?)(%d*)$')
        min = tonumber(low)
        max = comma == '' and min or tonumber(high) or 1 / 0
      end
      if not min then return node end
      at = at + 1
      if c[at] == '?' or c[at] == '+' then at = at + 1 end
      node = { 'rep', node, min, max }
    end
  end

  local function sequence()
    local node = { 'seq' }
    while at <= count and c[at] ~= '|' and c[at] ~= ')' do node[#node + 1] = repeated() end
    return node
  end

  function alternatives()
    local node = { 'alt', sequence() }
    while c[at] == '|' do at = at + 1; node[#node + 1] = sequence() end
    return #node == 2 and node[2] or node
  end

  return alternatives()
end

-- The first up to two characters of what a tree matches; '?' is any character.
local HEADS_MAX = 4000
local function heads(node)
  local kind, out = node[1], {}
  local function join(a, b)
    local both, n = {}, 0
    for x in pairs(a) do
      local _, length = chars_of(x)
      if length >= 2 then both[x] = true; n = n + 1 else
        for y in pairs(b) do
          local first, second = unpack((chars_of(x .. y)))
          both[(first or '') .. (second or '')] = true
          n = n + 1
        end
      end
      if n > HEADS_MAX then return { ['??'] = true } end
    end
    return both
  end
  if kind == 'any' or kind == 'char' and node[3] then return { ['?'] = true } end
  if kind == 'char' then
    for x in pairs(node[2]) do out[x == '?' and '??' or x] = true end
    return out
  end
  if kind == 'begin' or kind == 'end' then return { [''] = true } end
  if kind == 'seq' then
    out = { [''] = true }
    for i = 2, #node do out = join(out, heads(node[i])) end
    return out
  end
  if kind == 'alt' then
    for i = 2, #node do for x in pairs(heads(node[i])) do out[x] = true end end
    return out
  end
  local one = heads(node[2])
  local some = { [''] = true }
  if node[3] == 0 then out[''] = true end
  for times = 1, math.min(node[4], 2) do
    some = join(some, one)
    if times >= node[3] or times == 2 then for x in pairs(some) do out[x] = true end end
  end
  return out
end

local T, N -- the text: characters, and how many

-- tree -> function(place): does it match there, with `next` behind it?
local function compile(node, next)
  local kind = node[1]
  if kind == 'any' then
    return function(i) return i <= N and next(i + 1) end
  elseif kind == 'begin' then
    return function(i) return i == 1 and next(i) end
  elseif kind == 'end' then
    return function(i) return i == N + 1 and next(i) end
  elseif kind == 'char' then
    local set, negated = node[2], node[3]
    if negated then return function(i) return i <= N and not set[T[i]] and next(i + 1) end end
    local only = nil
    for x in pairs(set) do only = only == nil and x end
    if only then return function(i) return T[i] == only and next(i + 1) end end
    return function(i) return i <= N and set[T[i]] and next(i + 1) end
  elseif kind == 'seq' then
    for i = #node, 2, -1 do next = compile(node[i], next) end
    return next
  elseif kind == 'alt' then
    local by_char, always = {}, {}
    for i = 2, #node do
      local branch, first, open = compile(node[i], next), {}, false
      for x in pairs(heads(node[i])) do
        local c = x == '' and '?' or (chars_of(x))[1]
        if c == '?' then open = true else first[c] = true end
      end
      if open then always[#always + 1] = branch else
        for c in pairs(first) do
          by_char[c] = by_char[c] or {}
          table.insert(by_char[c], branch)
        end
      end
    end
    return function(i)
      local list = by_char[T[i]]
      if list then for k = 1, #list do if list[k](i) then return true end end end
      for k = 1, #always do if always[k](i) then return true end end
      return false
    end
  end
  local inner, min, max = node[2], node[3], node[4]
  if inner[1] == 'any' or inner[1] == 'char' then
    local set, negated = inner[2], inner[3]
    return function(i)
      local taken = 0
      while true do
        if taken >= min and next(i + taken) then return true end
        if taken >= max or i + taken > N then return false end
        if set and (set[T[i + taken]] or false) == negated then return false end
        taken = taken + 1
      end
    end
  end
  if max == 1 / 0 then
    local here, step
    local function loop(i) return next(i) or step(i) end
    -- a body that takes nothing must not go round for ever
    local function guard(i) return i ~= here and loop(i) end
    local body = compile(inner, guard)
    step = function(i)
      local before = here
      here = i
      local found = body(i)
      here = before
      return found
    end
    local tail = min == 0 and loop or step
    for _ = 2, min do tail = compile(inner, tail) end
    return tail
  end
  local tail = next
  for _ = min + 1, max do
    local behind = tail
    local body = compile(inner, behind)
    tail = function(i) return body(i) or next(i) end
  end
  for _ = 1, min do tail = compile(inner, tail) end
  return tail
end

local by_two, by_one, anywhere

local function yes() return true end

local function prepare()
  by_two, by_one, anywhere = {}, {}, {}
  local function add(list, rule) list[#list + 1] = rule end
  for _, row in ipairs(RULES) do
    local tree = parse(row[2])
    local branches = { tree }
    if tree[1] == 'alt' then
      branches = {}
      for i = 2, #tree do branches[#branches + 1] = tree[i] end
    end
    for _, branch in ipairs(branches) do
      local rule = { bit = row[1], match = compile(branch, yes) }
      local open, ones = false, {}
      local first = heads(branch)
      for x in pairs(first) do
        local c = chars_of(x)
        if #c == 0 or c[1] == '?' then open = true end
        if #c == 1 or c[2] == '?' then ones[c[1] or '?'] = true end
      end
      if open then add(anywhere, rule) else
        for x in pairs(first) do
          local c = chars_of(x)
          if not ones[c[1]] then by_two[x] = by_two[x] or {}; add(by_two[x], rule) end
        end
        for c in pairs(ones) do by_one[c] = by_one[c] or {}; add(by_one[c], rule) end
      end
    end
  end
end

local function try(list, i, seen)
  local found = 0
  for k = 1, #list do
    local rule = list[k]
    if not seen[rule.bit] and rule.match(i) then
      seen[rule.bit] = true
      found = found + 2 ^ rule.bit
    end
  end
  return found
end

local function classify(text)
  local mask, seen = 0, {}
  T, N = chars_of(text)
  for i = 1, N do
    local c = T[i]
    local list = by_one[c]
    if list then mask = mask + try(list, i, seen) end
    list = i < N and by_two[c .. T[i + 1]]
    if list then mask = mask + try(list, i, seen) end
    if #anywhere > 0 then mask = mask + try(anywhere, i, seen) end
  end
  return mask, seen
end

-- Seconds from "2018-01-31T09:05:00+08:00"; the differences are what counts.
local function seconds(time)
  local year, month, day, hour, minute, second = time:match('^(%d+)-(%d+)-(%d+).(%d+):(%d+):?(%d*)')
  local y, m = tonumber(year), tonumber(month)
  if m < 3 then y, m = y - 1, m + 12 end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * (m - 3) + 2) / 5) + tonumber(day)
  return days * 86400 + hour * 3600 + minute * 60 + (tonumber(second) or 0)
end

local function ingest(_, lines)
  if not by_two then prepare() end
  for _, line in ipairs(lines) do
    local ticket = cjson.decode(line)
    local mask, seen = classify(ticket.text)
    local at, repeats = seconds(ticket.accepted_at), 0
    if ticket.caller then
      local key = 'caller:' .. ticket.caller
      repeats = redis.call('ZCOUNT', key, at - 30 * 86400, '(' .. at)
      redis.call('ZADD', key, at, ticket.id)
    end
    local day = ticket.accepted_at:sub(1, 10)
    for bit in pairs(seen) do redis.call('HINCRBY', 'counters:' .. day, bit, 1) end
    redis.call('XADD', 'tickets', '*', 'id', ticket.id, 'hits', string.format('%d', mask),
      'repeats', repeats, 'line', line)
  end
  return #lines
end

redis.register_function('ingest', ingest)
