import type { ObjectType } from './demand.js';

/**
 * The effect of an action: `look` tells of the engine and its objects, `content` gives out their contents, `change` is all
 * else.
 */
export type Effect = 'look' | 'content' | 'change';

/** One thing that a client can ask for. Several routes may be one action. */
export interface Action {
  /** `container:start`. */
  readonly name: string;
  readonly method: string;
  /** `/containers/:name/start`; a parameter matches slashes, too. */
  readonly path: string;
  readonly effect: Effect;
  /** The type of the object that the parameter `name` of the path names. */
  readonly object?: ObjectType;
  /** Nobody who stands before the engine can see what is asked: a stream, or words that only the engine knows. */
  readonly unseen?: true;
}

const container = (effect: Effect, lines: readonly string[]) => rows(effect, lines, 'container');
const image = (effect: Effect, lines: readonly string[]) => rows(effect, lines, 'image');
const network = (effect: Effect, lines: readonly string[]) => rows(effect, lines, 'network');
const volume = (effect: Effect, lines: readonly string[]) => rows(effect, lines, 'volume');
const plugin = (effect: Effect, lines: readonly string[]) => rows(effect, lines, 'plugin');
const none = (effect: Effect, lines: readonly string[]) => rows(effect, lines);
const unseen = (lines: readonly string[]) => rows('change', lines).map((row): Action => ({ ...row, unseen: true }));

/** Each line: name, method, path. */
function rows(effect: Effect, lines: readonly string[], object?: ObjectType): Action[] {
  return lines.map((line) => {
    const [name = '', method = '', path = ''] = line.split(' ');
    return { name, method, path, effect, ...(object !== undefined && path.includes(':name') && { object }) };
  });
}

const swarmRooms = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'];

/**
 * Every route of the API, of Cleat and of Docker, and what it is called in policies. The first that fits counts, as in
 * the engine's own table of routes.
 */
export const actions: readonly Action[] = [
  ...none('look', [
    'system:ping GET /_ping',
    'system:ping HEAD /_ping',
    'system:ping OPTIONS /:any',
    'system:version GET /version',
    'system:info GET /info',
    'system:df GET /system/df',
    'system:events GET /events',
    'container:list GET /containers/json',
    'image:list GET /images/json',
    'image:search GET /images/search',
    'image:distribution GET /distribution/:image/json',
    'network:list GET /networks',
    'volume:list GET /volumes',
    'plugin:list GET /plugins',
    'plugin:privileges GET /plugins/privileges',
    'engine:extensions GET /cleat/extensions',
    'engine:log-drivers GET /cleat/log-drivers',
  ]),
  // Credentials: no authorizer sees its body.
  ...none('change', ['system:auth POST /auth', 'container:prune POST /containers/prune']),
  ...none('change', ['container:create POST /containers/create', 'container:commit POST /commit']),
  ...container('content', [
    'container:copy-stat HEAD /containers/:name/archive',
    'container:copy-out GET /containers/:name/archive',
    'container:copy-out POST /containers/:name/copy',
    'container:logs GET /containers/:name/logs',
    'container:export GET /containers/:name/export',
  ]),
  ...container('change', [
    'container:copy-in PUT /containers/:name/archive',
    'container:attach POST /containers/:name/attach',
    'container:attach GET /containers/:name/attach/ws',
  ]),
  ...container('look', [
    'container:wait POST /containers/:name/wait',
    'container:checkpoint-list GET /containers/:name/checkpoints',
    'container:top GET /containers/:name/top',
    'container:stats GET /containers/:name/stats',
    'container:changes GET /containers/:name/changes',
    'container:inspect GET /containers/:name/json',
  ]),
  ...container('change', [
    'container:checkpoint POST /containers/:name/checkpoints',
    'container:checkpoint DELETE /containers/:name/checkpoints/:checkpoint',
    'container:start POST /containers/:name/start',
    'container:stop POST /containers/:name/stop',
    'container:restart POST /containers/:name/restart',
    'container:kill POST /containers/:name/kill',
    'container:pause POST /containers/:name/pause',
    'container:unpause POST /containers/:name/unpause',
    'container:rename POST /containers/:name/rename',
    'container:resize POST /containers/:name/resize',
    'container:update POST /containers/:name/update',
    'container:exec POST /containers/:name/exec',
    'container:remove DELETE /containers/:name',
  ]),
  ...rows('change', ['container:exec POST /exec/:name/start', 'container:exec-resize POST /exec/:name/resize'], 'exec'),
  ...rows('look', ['container:exec-inspect GET /exec/:name/json'], 'exec'),
  ...none('content', ['image:save GET /images/get', 'image:save GET /images/:name/get']),
  ...image('look', [
    'image:history GET /images/:name/history',
    'image:inspect GET /images/:name/json',
    'image:inspect GET /images/:name/attestations',
  ]),
  ...unseen(['image:load POST /images/load']),
  ...none('change', [
    'image:pull POST /images/create',
    'image:prune POST /images/prune',
    'image:push POST /images/:name/push',
  ]),
  ...image('change', ['image:tag POST /images/:name/tag', 'image:remove DELETE /images/:name']),
  ...network('look', ['network:inspect GET /networks/:name']),
  ...network('change', [
    'network:create POST /networks/create',
    'network:connect POST /networks/:name/connect',
    'network:disconnect POST /networks/:name/disconnect',
    'network:prune POST /networks/prune',
    'network:remove DELETE /networks/:name',
  ]),
  ...volume('look', ['volume:inspect GET /volumes/:name']),
  ...volume('change', [
    'volume:create POST /volumes/create',
    'volume:prune POST /volumes/prune',
    'volume:update PUT /volumes/:name',
    'volume:remove DELETE /volumes/:name',
  ]),
  ...plugin('content', ['plugin:save GET /cleat/plugins/:name/archive']),
  ...plugin('look', ['plugin:inspect GET /plugins/:name/json']),
  ...plugin('change', [
    'plugin:exec POST /cleat/extensions/:name/exec',
    'plugin:install POST /plugins/pull',
    'plugin:create POST /plugins/create',
    'plugin:enable POST /plugins/:name/enable',
    'plugin:disable POST /plugins/:name/disable',
    'plugin:set POST /plugins/:name/set',
    'plugin:upgrade POST /plugins/:name/upgrade',
    'plugin:push POST /plugins/:name/push',
    'plugin:remove DELETE /plugins/:name',
  ]).map((row): Action => ({ ...row, unseen: true })),
  ...none('content', ['engine:inspect GET /cleat/:rest', 'engine:debug GET /debug/:rest']),
  ...unseen(['engine:change POST /cleat/:rest', 'engine:change PUT /cleat/:rest', 'engine:change DELETE /cleat/:rest']),
  // BuildKit's conversation is one stream that nobody else reads.
  ...unseen(['build:buildkit POST /grpc', 'build:buildkit POST /session']),
  ...none('change', ['build:build POST /build', 'build:prune POST /build/prune', 'build:cancel POST /build/cancel']),
  // For builders, on sockets of their own.
  ...unseen([
    'build:records POST /build-records',
    'build:records POST /build-records/:rest',
    'build:records DELETE /build-records/:rest',
  ]),
  ...none('content', ['build:cache GET /build-records/:rest']),
  ...swarmRooms.flatMap((room) => [
    ...none('content', [`swarm:look GET /${room}`, `swarm:look GET /${room}/:rest`]),
    ...unseen(
      ['POST', 'DELETE'].flatMap((method) => [
        `swarm:change ${method} /${room}`,
        `swarm:change ${method} /${room}/:rest`,
      ]),
    ),
  ]),
];

/** Names of actions, each once. */
export const actionNames: readonly string[] = [...new Set(actions.map(({ name }) => name))];

interface Row {
  readonly action: Action;
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

const byMethod = new Map<string, Row[]>();
for (const action of actions) {
  const names = [...action.path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  const source = action.path.replace(/:\w+/g, '(.+)');
  const list = byMethod.get(action.method) ?? [];
  list.push({ action, pattern: new RegExp(`^${source}$`, 's'), names });
  byMethod.set(action.method, list);
}

export interface Found {
  readonly action: Action;
  readonly params: Readonly<Record<string, string>>;
}

/** @param path decoded, without version. @returns undefined for what the API does not have */
export function actionOf(method: string, path: string): Found | undefined {
  for (const { action, pattern, names } of byMethod.get(method) ?? []) {
    const found = pattern.exec(path);
    if (found) return { action, params: Object.fromEntries(names.map((name, i) => [name, found[i + 1] ?? ''])) };
  }
  return undefined;
}
