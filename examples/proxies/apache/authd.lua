-- Asks authd about a request, from Apache's mod_lua, with LuaSocket (Debian: lua-socket).
local socket = require "socket"

local HOST, PORT = ("127.0.0.1:8081"):match("^(.*):(%d+)$")
local PATH = "/verify/forward"

-- Who is calling, for the application: always removed, then set to what authd says.
local IDENTITY = { "X-Auth-User", "X-Auth-Email", "X-Auth-Name", "X-Auth-Roles", "X-Auth-Groups", "X-Auth-Provider",
  "X-Auth-Assertion", "X-Auth-Max-Age" }
-- What authd reads of the client's headers. Nothing else leaves.
local ASKED = {
  "Cookie", "Authorization", "Accept", "User-Agent", "Origin", "X-Requested-With", "Sec-Fetch-Mode", "Upgrade",
  "Access-Control-Request-Method", "X-Request-Id", "Content-Type",
}
-- What a client is told when it may not pass.
local TOLD = {
  "Location", "Set-Cookie", "WWW-Authenticate", "Content-Security-Policy", "Cache-Control", "Retry-After",
}

-- Each thread keeps its connection.
local connection

-- The next line of an answer.
local function line()
  local text, fault = connection:receive("*l")
  if not text then error(fault, 0) end
  return text
end

-- Sends a question and reads the answer: its status, its headers by name in lower case, and its body.
local function exchange(question)
  assert(connection:send(question))
  local status = tonumber(line():match("^HTTP/1%.1 (%d%d%d)"))
  local headers = {}
  for text in line do
    if text == "" then break end
    local name, value = text:match("^([^:]+):%s*(.-)%s*$")
    if name then headers[name:lower()] = value end
  end
  local length = tonumber(headers["content-length"] or 0)
  local body = length > 0 and assert(connection:receive(length)) or ""
  if headers["connection"] == "close" then
    connection:close()
    connection = nil
  end
  return { status = status, headers = headers, body = body }
end

-- Asks over the connection that is there. authd closes one that was quiet for long: then over a new one.
local function ask(question)
  for _ = 1, 2 do
    local kept = connection ~= nil
    if not kept then
      connection = socket.tcp()
      connection:settimeout(2)
      assert(connection:connect(HOST, PORT))
      connection:setoption("tcp-nodelay", true)
    end
    connection:settimeout(4)
    local answered, answer = pcall(exchange, question)
    if answered then return answer end
    connection:close()
    connection = nil
    if not kept or answer == "timeout" then error(answer, 0) end
  end
  error("the connection was closed twice", 0)
end

-- A value on one line.
local function plain(value)
  return (tostring(value or ""):gsub("%c", ""))
end

local function question(r)
  local lines = {
    "GET " .. PATH .. " HTTP/1.1",
    "Host: authd",
    "X-Forwarded-Method: " .. plain(r.method),
    "X-Forwarded-Proto: " .. (r.is_https and "https" or "http"),
    "X-Forwarded-Host: " .. plain(r.headers_in["Host"]),
    "X-Forwarded-Uri: " .. plain(r.unparsed_uri),
    "X-Forwarded-For: " .. plain(r.useragent_ip),
  }
  for _, name in ipairs(ASKED) do
    local value = r.headers_in[name]
    if value then lines[#lines + 1] = name .. ": " .. plain(value) end
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- Removes names that many applications read as others, such as `X_Auth_User` and `X.Auth.User`.
local function keep_plain_names(r)
  for name in pairs(r:headers_in_table()) do
    local lower = name:lower()
    if lower:find("[^%w-]") and (lower:find("^x[^%w]") or lower:find("^remote[^%w]")) then r.headers_in[name] = nil end
  end
end

function check(r)
  keep_plain_names(r)
  -- `GET http://host/path`: the host and the path would be read from two places.
  if plain(r.unparsed_uri):sub(1, 1) ~= "/" then return 400 end
  local answered, answer = pcall(function() return ask(question(r)) end)
  for _, name in ipairs(IDENTITY) do r.headers_in[name] = nil end
  if not answered or not answer.status then
    r:err("authd does not answer: " .. tostring(answer))
    return 503
  end
  local said = answer.headers
  if answer.status == 200 then
    for _, name in ipairs(IDENTITY) do
      local value = said[name:lower()]
      if value and value ~= "" then r.headers_in[name] = value end
    end
    local user = said[IDENTITY[1]:lower()]
    if user and user ~= "" then r.user = user end
    if said["set-cookie"] then r.err_headers_out["Set-Cookie"] = said["set-cookie"] end
    return apache2.OK
  end
  if answer.status < 300 or answer.status >= 500 then return 503 end
  for _, name in ipairs(TOLD) do
    local value = said[name:lower()]
    if value then r.err_headers_out[name] = value end
  end
  r.status = answer.status
  r.content_type = said["content-type"] or "text/plain"
  r:puts(answer.body)
  -- Else the client would have it when the connection ends.
  r:flush()
  return apache2.DONE
end
