-- Webhooks that come in are verified before anything looks at them, and only once; those that go out are signed.
-- Run:   GITHUB_SECRET=secret-of-github STRIPE_SECRET=secret-of-stripe HOOK_SECRET=whsec_$(openssl rand -base64 24) rws webhooks.lua
-- Then:  BODY='{"action":"opened"}'
--        SIGN=$(printf %s "$BODY" | openssl dgst -sha256 -hmac secret-of-github | sed 's/.* //')
--        curl -i localhost:3000/hooks/github -d "$BODY" -H "X-Hub-Signature-256: sha256=$SIGN"

-- as a guard: what is not signed is answered 403, a replay 409
app:post("/hooks/github", rws.webhook.guard("github", { secret = env.GITHUB_SECRET, replays = "memory" }), function(c)
  app.shared:incr("github")
  return "github " .. c:read_json().action
end)

-- by hand, where the reason matters; "replays" takes a Redis too, for several instances
app:post("/hooks/stripe", function(c)
  local ok, reason = rws.webhook.verify("stripe", c, env.STRIPE_SECRET, { tolerance = "5m" })
  if not ok then
    rws.log.warn("stripe: refused", { reason = reason })
    return 403
  end
  return "stripe " .. c:read_json().type
end)

-- out: standardwebhooks.com, which receivers have libraries for
app:post("/notify", { body = { url = "url" } }, function(c)
  local body = rws.json.encode { type = "note.created" }
  local res = rws.http.post(c.input.url, { body = body, headers = rws.webhook.sign("standard", body, env.HOOK_SECRET) })
  return { delivered = res.status < 300 }
end)

app:test("what is signed comes in, once", function(t)
  local body = '{"action":"opened"}'
  local hook = { body = body, headers = rws.webhook.sign("github", body, env.GITHUB_SECRET) }
  t.eq(t:post("/hooks/github", { body = body }).status, 403)
  t.eq(t:post("/hooks/github", hook).body, "github opened")
  t.eq(t:post("/hooks/github", hook).status, 409)

  body = '{"type":"charge.failed"}'
  t.eq(t:post("/hooks/stripe", { body = body, headers = rws.webhook.sign("stripe", body, env.STRIPE_SECRET) }).body, "stripe charge.failed")
  t.eq(t:post("/hooks/stripe", { body = body .. " ", headers = rws.webhook.sign("stripe", body, env.STRIPE_SECRET) }).status, 403)
end)

app:test("what goes out is signed", function(t)
  t:stub("https://example.com/*", function(request)
    return { status = request.headers.webhook_signature and 204 or 403 }
  end)
  t.eq(t:post("/notify", { json = { url = "https://example.com/in" } }):json(), { delivered = true })
end)
