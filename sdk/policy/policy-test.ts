import type { Caller } from '@cleat/protocol/caller';
import { stringify } from '@cleat/protocol/json';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import type { FoundObject, Objects } from '../authz/objects.js';
import type { Reader } from './reader.js';

/** A test in a policy file: a request, and what the policy says to it. */
export interface PolicyTest {
  readonly name: string;
  readonly message: AuthorizationRequest;
  readonly objects: Objects;
  readonly expect: 'allow' | 'deny';
  /** The rule that decides. */
  readonly rule: string | undefined;
}

/** @throws InvalidParameter */
export function testOf(reader: Reader): PolicyTest {
  const { name, request, body, as, objects, expect, rule } = reader.members([
    'name',
    'request',
    'body',
    'as',
    'objects',
    'expect',
    'rule',
  ]);
  const line = request.text();
  const [, method, uri] = /^([A-Z]+) (\/\S*)$/.exec(line) ?? [];
  if (method === undefined || uri === undefined) throw request.fail('it must be a method and a path: GET /info');
  const text = body.isThere ? (typeof body.value === 'string' ? body.value : stringify(body.value)) : '';
  const found = new Map((objects.isThere ? objects.entries() : []).map(([key, one]) => [key, foundObject(key, one)]));
  return {
    name: name.isThere ? name.text() : line,
    message: messageFor({
      method,
      uri,
      body: text,
      caller: as.isThere ? callerNamed(as) : { Method: 'none', User: '' },
    }),
    objects: { find: async (type, object) => found.get(`${type}/${object}`) },
    expect: expect.oneOf('allow', 'deny'),
    rule: rule.isThere ? rule.text() : undefined,
  };
}

/** A request as an engine puts it to its authorizer. */
export function messageFor(request: {
  method: string;
  uri: string;
  body: string;
  caller: Caller;
}): AuthorizationRequest {
  const { method, uri, body, caller } = request;
  return {
    ...(caller.Method === 'TLS' && { User: caller.User, UserAuthNMethod: 'TLS' }),
    RequestMethod: method,
    RequestUri: uri,
    ...(body !== '' && { RequestBody: Buffer.from(body).toString('base64') }),
    RequestHeaders: body === '' ? {} : { 'Content-Type': 'application/json' },
    Caller: caller,
  };
}

/**
 * `user:alice`, `unix:alice`, `unix:1000`, `container:NAME`, `plugin:NAME` or `none`; or a caller as authorizers are told
 * it, with all its members.
 * @throws InvalidParameter
 */
export function callerNamed(reader: Reader): Caller {
  if (typeof reader.value !== 'string') {
    const map = reader.members(['Method', 'User', 'Names', 'Process', 'Within', 'Container', 'Plugin']);
    return {
      ...(reader.map() as Partial<Caller>),
      Method: map.Method.text(),
      User: map.User.isThere ? map.User.text() : '',
    };
  }
  const [, form, name = ''] = /^(user|unix|container|plugin):(.+)$/s.exec(reader.value) ?? [];
  const isNumber = /^\d+$/.test(name);
  const process = { PID: 1, UID: isNumber ? Number(name) : name === 'root' ? 0 : 65_534, GID: 65_534, Groups: [] };
  switch (form) {
    case 'user':
      return { Method: 'TLS', User: name };
    case 'unix':
      return { Method: 'unix', User: name, Within: 'host', Process: process };
    case 'container':
      return { Method: 'unix', User: '0', Within: 'container', Container: { ID: name, Name: name } };
    case 'plugin':
      return { Method: 'unix', User: '0', Within: 'plugin', Plugin: { ID: name, Name: name } };
    default:
      if (reader.value === 'none') return { Method: 'none', User: '' };
      throw reader.fail('it must be user:NAME, unix:NAME, container:NAME, plugin:NAME or none');
  }
}

function foundObject(key: string, reader: Reader): FoundObject {
  const known = ['labels', 'names', 'host-paths', 'driver', 'options', 'volumes'] as const;
  const { labels, names, 'host-paths': hostPaths, driver, options, volumes } = reader.members(known);
  const map = (one: Reader) =>
    Object.fromEntries((one.isThere ? one.entries() : []).map(([name, value]) => [name, value.text()]));
  const name = key.replace(/^\w+\//, '');
  return {
    id: name,
    labels: map(labels),
    names: names.isThere ? names.texts() : [name],
    hostPaths: hostPaths.isThere ? hostPaths.texts() : [],
    driver: driver.isThere ? driver.text() : 'local',
    options: map(options),
    volumes: volumes.isThere ? Number(volumes.text()) : 0,
  };
}
