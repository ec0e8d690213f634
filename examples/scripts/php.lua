-- An application in PHP behind PHP-FPM, with its files served from here and no other server between.
-- Run:   rws php.lua, in the folder above php/ and public/, with PHP-FPM at the socket
-- Then:  curl localhost:3000/                    php/index.php
--        curl localhost:3000/admin/              php/admin/index.php, if it is there
--        curl localhost:3000/api/notes/7         a path that names no script: index.php too, as frameworks want it
--        curl localhost:3000/files/style.css     public/style.css, which PHP never sees

local root = env.PHP_ROOT or "php"                   -- as PHP-FPM sees it

local php = app:upstream("php", {
  to      = "fastcgi:" .. (env.PHP_SOCKET or "/run/php/php-fpm.sock"),
  fastcgi = { root = root, front = "/index.php", env = { APP_ENV = env.RWS_ENV or "development" } },
  pool    = { per_backend = 16, wait = "5s" },       -- as many as PHP-FPM has workers
  timeout = { response = "60s" },
})

app:use(rws.request_id(), rws.security_headers(), rws.compress())

app:static("/files", "public")                       -- not the folder of the scripts, whose files are not for visitors

app:proxy("/*", rws.max_body "20mb", php, {
  fallback = function(c) return c:html("<h1>Back soon</h1>", 503) end,
})
