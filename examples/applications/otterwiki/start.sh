#!/bin/sh
# An Otter Wiki on loopback, at the port where the quickstart's proxy expects the application; pages and all below ./wiki.
set -eu
mkdir -p wiki
[ -d wiki/pages ] || git init --quiet wiki/pages

export REPOSITORY="$PWD/wiki/pages" SQLALCHEMY_DATABASE_URI="sqlite:///$PWD/wiki/wiki.db"
export SECRET_KEY="${SECRET_KEY:-a sample of a secret}"
# Whoever reaches it has passed authd. Who it is, the proxy says: it sets these headers in every request, and nobody else can.
export AUTH_METHOD=PROXY_HEADER
export AUTH_HEADERS_USERNAME=X-Auth-Email AUTH_HEADERS_EMAIL=X-Auth-Email AUTH_HEADERS_PERMISSIONS=X-Auth-Roles
# What the roles of authd may do here.
export AUTH_ROLES_READ=user,admin AUTH_ROLES_WRITE=user,admin AUTH_ROLES_UPLOAD=user,admin AUTH_ROLES_ADMIN=admin
export READ_ACCESS=REGISTERED WRITE_ACCESS=REGISTERED ATTACHMENT_ACCESS=REGISTERED

exec flask --app otterwiki.server run --host 127.0.0.1 --port "${1:-8090}"
