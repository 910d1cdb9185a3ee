import { describe, expect, test } from 'vitest';
import { wishOf } from '../labels/wish.js';
import type { Listening, Model } from '../model/model.js';
import { plan } from '../model/plan.js';
import { renderHaproxy } from './haproxy/render.js';
import { renderNginx } from './nginx/render.js';

const listening: Listening = {
  address: '0.0.0.0',
  port: 80,
  tlsPort: 8443,
  maxConnections: 1_024,
  connectMs: 400,
  serverMs: 60_000,
  clientMs: 60_000,
  drainMs: 60_000,
  authorities: '/ca.pem',
  user: 'nobody',
};

/** Containers `1`, `2` … with these labels. */
function modelOf(...containers: Record<string, string>[]): Model {
  const candidates = containers.map((labels, index) => {
    const given = Object.entries(labels).map(([label, value]) => [`interlock.${label}`, value]);
    const { wish, faults } = wishOf(Object.fromEntries(given));
    if (!wish) throw new Error(faults.join());
    const name = String(index + 1);
    const address = { ip: index === 3 ? 'fd00::4' : `10.0.0.${name}`, port: 80 };
    return { id: name.repeat(64), name, created: name, wish, address, leaving: false };
  });
  return plan(
    candidates,
    () => ({ path: '/b/c.pem' }),
    () => undefined,
  ).model;
}

const places = { directory: '/b', streamModule: '/m.so', workers: 2, openFiles: 1_024 };
const nginx = (model: Model) => renderNginx(model, listening, places);
const haproxy = (model: Model) => renderHaproxy(model, listening, '/b');

const shop = modelOf(
  { domain: 'shop.x' },
  { domain: 'shop.x' },
  { domain: 'shop.x', context_root: '/v1.0', context_root_rewrite: 'true', ip_hash: 'true' },
);

describe('nginx', () => {
  test('a site with two containers and a path', () => {
    const { text, tag } = nginx(shop);
    expect(text.slice(text.indexOf('    upstream'))).toBe(`    upstream pool0 {
        zone pool0 68k;
        ip_hash;
        server 10.0.0.3:80 max_fails=0;
    }
    upstream pool1 {
        zone pool1 72k;
        server 10.0.0.1:80 max_fails=8 fail_timeout=1s;
        server 10.0.0.2:80 max_fails=8 fail_timeout=1s;
        server 10.0.0.1:80 backup max_fails=0;
        server 10.0.0.2:80 backup max_fails=0;
    }
    server {
        listen 0.0.0.0:80 default_server;
        server_name _;
        return 503;
    }
    server {
        listen 0.0.0.0:80;
        server_name shop.x;
        location = /v1.0 { return 301 /v1.0/$is_args$args; }
        location /v1.0/ {
            error_page 418 = @closing0;
            if (-f /b/closing-${tag}) { return 418; }
            rewrite ^/v1\\.0/(.*)$ /$1 break;
            proxy_pass http://pool0;
        }
        location / {
            error_page 418 = @closing1;
            if (-f /b/closing-${tag}) { return 418; }
            proxy_pass http://pool1;
        }
        location @closing0 {
            keepalive_timeout 0;
            rewrite ^/v1\\.0/(.*)$ /$1 break;
            proxy_pass http://pool0;
        }
        location @closing1 {
            keepalive_timeout 0;
            proxy_pass http://pool1;
        }
    }
}
`);
  });

  test.each([
    [{ domain: 'x', ssl_only: '' }, 'return 301 https://$host:8443$request_uri;'],
    [{ domain: 'x', ssl: '' }, 'listen 0.0.0.0:8443 ssl;'],
    [{ domain: 'x', ssl: '' }, 'ssl_reject_handshake on;'],
    [{ domain: 'x', ssl_passthrough: '' }, 'load_module /m.so;'],
    [{ domain: '*.x', ssl_passthrough: '' }, '*.x passed0;'],
    [{ domain: 'x', ssl_backend: '', ssl_backend_tls_verify: 'true' }, 'proxy_ssl_verify on;'],
    [{ domain: 'x', ssl_backend: '' }, 'proxy_pass https://pool0;'],
    [{ domain: 'x', websocket_endpoint: '/chat' }, 'location = /chat {'],
    [{ domain: 'x', balance_algorithm: 'leastconn' }, 'least_conn;'],
    [{ domain: 'x', balance_algorithm: 'source' }, 'hash $remote_addr consistent;'],
    [{ context_root: '/any' }, 'listen 0.0.0.0:80 default_server;'],
  ])('%o makes: %s', (labels, line) => {
    expect(
      nginx(modelOf(labels as Record<string, string>))
        .text.split('\n')
        .map((one) => one.trim()),
    ).toContain(line);
  });

  test('nobody left is 503, and no upstream without servers', () => {
    const [site] = shop.sites;
    const routes = site?.routes.map((route) => ({ ...route, pool: { ...route.pool, servers: [] } })) ?? [];
    const { text } = nginx({ sites: [{ host: 'shop.x', tls: undefined, routes }], passed: [] });
    expect(text).toContain('location / { return 503; }');
    expect(text).not.toContain('upstream pool');
  });
});

describe('HAProxy', () => {
  test('a site with two containers and a path', () => {
    const { text } = haproxy(shop);
    const server = (id: string) =>
      `server c-${id.repeat(24)} 10.0.0.${id}:80 check inter 5000ms fastinter 200ms downinter 500ms fall 2 rise 1`;
    expect(text.slice(text.indexOf('    acl host0'))).toBe(`    acl host0 var(txn.host) -m str shop.x
    acl path0-0 path /v1.0
    acl path0-0 path_beg /v1.0/
    use_backend pool:shop.x:v1.0 if host0 path0-0
    use_backend pool:shop.x if host0
    default_backend nobody

backend nobody
    http-request return status 503 content-type text/plain string "nobody serves this"

backend pool:shop.x:v1.0
    balance source
    http-request redirect code 301 location /v1.0/?%[query] if { path /v1.0 } { query -m len gt 0 }
    http-request redirect code 301 location /v1.0/ if { path /v1.0 }
    http-request replace-path '^/v1\\.0/(.*)$' '/\\1'
    ${server('3')}

backend pool:shop.x
    balance roundrobin
    ${server('1')}
    ${server('2')}
`);
  });

  test.each([
    [
      { domain: 'x', ssl_only: '' },
      'http-request redirect code 301 location https://%[var(txn.host)]:8443%[pathq] if host0',
    ],
    [{ domain: '*.x' }, 'acl host0 var(txn.host) -m end .x'],
    [{ domain: 'x', ssl_passthrough: '' }, 'use_backend passed:x if { req.ssl_sni -m str -i x }'],
    [{ domain: 'x', 'backend_option.1': 'forceclose' }, 'option httpclose'],
    [{ domain: 'x', health_check: '/ping' }, 'http-check send meth GET uri /ping ver HTTP/1.1 hdr Host x'],
    [{ domain: 'x', balance_algorithm: 'first' }, 'balance first'],
    [{ context_root: '/any' }, 'use_backend pool:_any:any if path0-0'],
  ])('%o makes: %s', (labels, line) => {
    expect(
      haproxy(modelOf(labels as Record<string, string>))
        .text.split('\n')
        .map((one) => one.trim()),
    ).toContain(line);
  });

  test('certificates are in a list of their own, each for its name', () => {
    const { files } = haproxy(modelOf({ domain: 'x', ssl: '' }, { domain: '*.y', ssl: '' }));
    expect(Object.values(files)).toEqual(['/b/c.pem x\n/b/c.pem *.y\n']);
  });

  test('no two names of backends are the same, whatever containers are called', () => {
    const { text } = haproxy(
      modelOf(
        ...[{ domain: 'nobody' }, { domain: 'passed', context_root: '/x' }, { domain: 'x', ssl_passthrough: '' }],
        ...[{ context_root: '/x' }, { domain: 'any', context_root: '/x' }, { domain: '*.x' }, { domain: 'own-tls' }],
      ),
    );
    const names = [...text.matchAll(/^backend (.*)$/gm)].map(([, name]) => name);
    expect(names.length).toBe(9);
    expect(new Set(names).size).toBe(names.length);
  });
});

test.each([['nginx', nginx] as const, ['HAProxy', haproxy] as const])(
  '%s: the same model has the same tag, and IPv6 brackets',
  (_, render) => {
    expect(render(shop)).toEqual(render(structuredClone(shop)));
    const four = modelOf({ domain: 'a' }, { domain: 'a' }, { domain: 'a' }, { domain: 'a' });
    expect(render(four).text).toContain(' [fd00::4]:80 ');
    expect(render(four).tag).not.toBe(render(shop).tag);
  },
);
