import { expect, test } from 'vitest';
import { parseHooks, readHooksFile } from './config.js';

test('an entry says which extension, for what, how long, and what if it fails', () => {
  const text = `
hooks:
  - name: owner
    match:
      - methods: [POST]
        routes: [/containers/create, "/containers/*/exec"]
        labels: team=a
        callers: {users: [alice], groups: [docker, 12], containers: ["*"], plugins: [p], methods: [unix]}
    deadline: 1.5s
    on-failure: open
    wins: [Body.HostConfig.Memory, 'Body.Labels["a.b"]']
  - name: team/mirror:latest
`;
  expect(parseHooks(text, 'f')).toEqual({
    path: 'f',
    entries: [
      {
        name: 'owner',
        match: [
          {
            Methods: ['POST'],
            Routes: ['/containers/create', '/containers/*/exec'],
            Labels: ['team=a'],
            Callers: {
              Users: ['alice'],
              Groups: ['docker', '12'],
              Containers: ['*'],
              Plugins: ['p'],
              Methods: ['unix'],
            },
          },
        ],
        deadlineMs: 1500,
        onFailure: 'open',
        wins: [
          ['Body', 'HostConfig', 'Memory'],
          ['Body', 'Labels', 'a.b'],
        ],
      },
      { name: 'team/mirror:latest', match: undefined, deadlineMs: 5000, onFailure: 'closed', wins: [] },
    ],
  });
  expect(parseHooks('hooks: []', 'f').entries).toEqual([]);
});

const entry = (more: string) => `hooks:\n  - name: a\n    ${more}\n`;

test.each([
  ['', 'f: it is empty; write "hooks: []" for none'],
  ['# hooks: []', 'f: it is empty'],
  ['hooks: []\n---\nhooks: []', 'f:2: it has more than one document'],
  ['hook: []', 'f:1: there is no setting "hook" here (did you mean hooks?)'],
  ['- name: a', 'f:1: expected an object with hooks'],
  ['hooks: a', 'f:1: hooks is a list'],
  ['hooks:\n  - a', 'f:2: expected an object with name, match, deadline, on-failure, wins'],
  ['hooks:\n  - deadline: 1s', 'f:2: a hook needs a name: that of its extension'],
  ['hooks:\n  - name: a b', "f:2: 'a b' is not the name of an extension"],
  ['hooks:\n  - name: a\n  - name: a', 'f:3: hook "a" is named twice'],
  ['hooks:\n  - name: a\n    name: b', 'f:3: Map keys must be unique'],
  [entry('on-failur: open'), 'f:3: there is no setting "on-failur" here (did you mean on-failure?)'],
  [entry('on-failure: perhaps'), 'f:3: on-failure is open or closed'],
  [entry('on-failure:'), 'f:3: on-failure has no value'],
  [entry('deadline: 2'), "f:3: '2' is no deadline: write it as 500ms or 2s, up to 10m"],
  [entry('deadline: -1s'), "f:3: '-1s' is no deadline: write it as 500ms or 2s, up to 10m"],
  [entry('match: {methods: [POST]}'), 'f:3: match is a list'],
  [entry('match: [{method: POST}]'), 'f:3: there is no setting "method" here (did you mean methods?)'],
  [entry('match: [{methods: [FETCH]}]'), "f:3: 'FETCH' is no method: GET, HEAD, POST, PUT, DELETE, OPTIONS are"],
  [
    entry('match: [{routes: [/v1.41/containers/create]}]'),
    "f:3: '/v1.41/containers/create' is no route: write it as /containers/*/json, without version",
  ],
  [entry('match: []'), 'f:3: an empty match fits nothing'],
  [entry('match: [{labels: []}]'), 'f:3: an empty list fits nothing'],
  [entry('match: [{callers: {user: [a]}}]'), 'f:3: there is no setting "user" here (did you mean users?)'],
  [entry('match: [{callers: {methods: [tls]}}]'), "f:3: a caller is proven by unix, TLS or none, not by 'tls'"],
  [entry('wins: [HostConfig]'), 'f:3: a path begins with Body, Query, Headers or Status'],
  [entry('wins: ["Body.Mounts[0]"]'), 'f:3: wins names no places in lists'],
  [
    `${entry('wins: [Body.HostConfig]')}  - name: b\n    wins: [Body.HostConfig.Memory]`,
    'f:4: "a" and "b" both win Body.HostConfig.Memory',
  ],
  ['hooks: [', 'f:1: Flow sequence'],
])('%j is refused, with its line', (text, message) => {
  expect(() => parseHooks(text, 'f')).toThrow(message);
});

test('a file that is not there', () => {
  expect(() => readHooksFile('/nowhere/hooks.yaml')).toThrow(
    'cannot read the file of hooks: open /nowhere/hooks.yaml: no such file or directory',
  );
});
