-- Asks authd about a request, with HAProxy's own HTTP client (2.5 or newer; nothing else is needed):
--   http-request  lua.authd http://127.0.0.1:8081/verify/forward
--   http-response lua.authd_renewed        passes the cookie of a renewed session on

-- Who is calling, for the application: always deleted, then set to what authd says.
local IDENTITY = {
  "x-auth-user", "x-auth-email", "x-auth-name", "x-auth-roles", "x-auth-groups", "x-auth-provider",
  "x-auth-assertion", "x-auth-max-age",
}
-- What authd reads of the client's headers. Nothing else leaves.
local ASKED = {
  "cookie", "authorization", "accept", "user-agent", "origin", "x-requested-with", "sec-fetch-mode", "upgrade", "content-type",
  "access-control-request-method", "x-request-id",
}
-- What a client is told when it may not pass.
local TOLD = { "location", "set-cookie", "www-authenticate", "content-type", "content-security-policy", "cache-control", "retry-after",
  "grpc-status", "grpc-message",
}

-- HAProxy counts the lines of a header from 0.
local function lines(header)
  local all, at = {}, 0
  while header and header[at] do
    all[#all + 1] = header[at]
    at = at + 1
  end
  return all
end

-- The runtime socket of haproxy.cfg, and the most seconds that are counted.
local RUNTIME, LONGEST = "unix@haproxy.sock", 604800
-- When connections of clients are to end, by `address:port`.
local ends = {}

-- What HAProxy says to a command.
local function runtime(command)
  local socket = core.tcp()
  socket:settimeout(2)
  socket:connect(RUNTIME)
  socket:send(command .. "\n")
  local said = socket:receive("*a")
  socket:close()
  return said
end

-- HAProxy has time-outs for silence, and none for how old a connection gets. So this one ends those that are as old as authd said,
-- and forgets those that have ended by themselves.
local function end_old()
  local open, old = {}, {}
  for session, client in runtime("show sess"):gmatch("(0x%x+): proto=%S+ src=(%S+)") do open[client] = session end
  for client, at in pairs(ends) do
    if not open[client] or at <= core.now().sec then
      old[#old + 1] = open[client]
      ends[client] = nil
    end
  end
  for _, session in ipairs(old) do runtime("shutdown session " .. session) end
end

core.register_task(function()
  local looked = 0
  while true do
    core.sleep(1)
    local now, due = core.now().sec, false
    for _, at in pairs(ends) do due = due or at <= now end
    if next(ends) and (due or now - looked >= 60) then
      looked = now
      local ended, fault = pcall(end_old)
      if not ended then core.Warning("open connections cannot be ended: " .. tostring(fault)) end
    end
  end
end)

-- Writes down when a connection is to end that stays open: a WebSocket, or a stream of events.
local function note_end(txn, age)
  local headers = txn.http:req_get_headers()
  local stays = headers["upgrade"] or (lines(headers["accept"])[1] or ""):find("text/event-stream", 1, true)
  if age and stays then
    ends[tostring(txn.f:src()) .. ":" .. txn.f:src_port()] = core.now().sec + math.min(age, LONGEST)
  end
end

local function refuse(txn, status)
  local reply = txn:reply({ status = status, body = "" })
  reply:add_header("cache-control", "no-store")
  txn:done(reply)
end

local function question(txn)
  local headers, asked = txn.http:req_get_headers(), {}
  for _, name in ipairs(ASKED) do
    local values = lines(headers[name])
    if name == "cookie" and #values > 1 then values = { table.concat(values, "; ") } end
    if #values > 0 then asked[name] = values end
  end
  local host = lines(headers["host"])[1] or ""
  asked["host"] = { host }
  asked["x-forwarded-method"] = { txn.f:method() }
  asked["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
  asked["x-forwarded-host"] = { host }
  asked["x-forwarded-uri"] = { txn.f:pathq() }
  asked["x-forwarded-for"] = { tostring(txn.f:src()) }
  return asked
end

core.register_action("authd", { "http-req" }, function(txn, url)
  local path = txn.f:pathq()
  if not path or path:sub(1, 1) ~= "/" then return refuse(txn, 400) end
  local client = core.httpclient()
  local asked, answer = pcall(function()
    return client:get({ url = url, headers = question(txn), timeout = 1500 })
  end)
  if not asked or not answer or not answer.status or answer.status < 200 or answer.status >= 500 then
    txn:Warning("authd does not answer")
    return refuse(txn, 503)
  end
  for _, name in ipairs(IDENTITY) do txn.http:req_del_header(name) end
  if answer.status == 200 then
    for _, name in ipairs(IDENTITY) do
      local value = lines(answer.headers[name])[1]
      if value and value ~= "" then txn.http:req_set_header(name, value) end
    end
    txn:set_priv(lines(answer.headers["set-cookie"]))
    note_end(txn, tonumber(lines(answer.headers["x-auth-max-age"])[1]))
    return
  end
  if answer.status < 300 then return refuse(txn, 503) end
  local reply = txn:reply({ status = answer.status })
  for _, name in ipairs(TOLD) do
    for _, value in ipairs(lines(answer.headers[name])) do reply:add_header(name, value) end
  end
  if answer.body then reply:set_body(answer.body) end
  txn:done(reply)
end, 1)

core.register_action("authd_renewed", { "http-res" }, function(txn)
  local cookies = txn:get_priv()
  if type(cookies) ~= "table" then return end
  for _, cookie in ipairs(cookies) do txn.http:res_add_header("set-cookie", cookie) end
end, 0)
