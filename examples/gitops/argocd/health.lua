-- Is a resource of authd.dev healthy? As its condition `Ready` says of the generation that is there now.
local status = obj.status or {}
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not seen this generation yet" }
end
-- What passes by itself: replicas are on their way, or it has its turn soon.
local passing = { Waiting = true, NoReplicas = true, NotPublished = true }
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Accepted" and condition.status ~= "True" then
    return { status = "Degraded", message = condition.reason .. ": " .. (condition.message or "") }
  end
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    if condition.status == "True" then
      return { status = "Healthy", message = "every replica enforces it" }
    end
    local message = condition.reason .. ": " .. (condition.message or "")
    if passing[condition.reason] then
      return { status = "Progressing", message = message }
    end
    return { status = "Degraded", message = message }
  end
end
return { status = "Progressing", message = "there is no condition Ready yet" }
