import { expect, test } from 'vitest';
import { brokerAction, brokerOf } from './broker.js';

/** The file and the table of the broker's own test (`authz/basic_test.go`). */
const file = `{"name":"policy_1","users":["user_1","user_2"],"actions":["container_create","docker_version", "container_start"]}
	           {"name":"policy_2","users":["user_3","user_4"],"actions":["container_create","container_exec"]}
	           {"name":"policy_3","users":["user_5"],"actions":["container"]}
	           {"name":"policy_4","users":["user_6"],"actions":["container"], "readonly":true }`;

function asking(text: string, warnings: string[] = []) {
  const judge = brokerOf(text, (why) => warnings.push(why));
  return (User: string, request: string) => {
    const [RequestMethod, RequestUri] = request.split(' ');
    return judge({ User, RequestMethod, RequestUri });
  };
}

test.each([
  ['user_1', 'GET /v1.21/version', true, 'policy_1'],
  ['user_3', 'GET /v1.21/version', false, 'policy_2'],
  ['user_1', 'POST /v1.21/containers/id/rename?command=//start', false, 'policy_1'],
  ['user_5', 'GET /v1.21/version', false, 'policy_3'],
  ['user_5', 'GET /v1.21/containers/id/json', true, 'policy_3'],
  ['user_6', 'GET /v1.21/containers/id/json', true, 'policy_4'],
  ['user_6', 'POST /v1.21/containers/id/rename', false, 'policy_4'],
  ['user_7', 'GET /v1.21/version', false, undefined],
] as const)('%s may %s: %s', (user, request, allow, rule) => {
  expect(asking(file)(user, request)).toMatchObject({ allow, rule });
});

/** The table of `core/route_parser_test.go`, in part, and what surprises in it. */
test.each([
  ['GET', '/version', 'docker_version'],
  ['POST', '/build', 'image_build'],
  ['POST', '/images/build', 'image_build'],
  ['POST', '/containers/id/export', 'container_export'],
  ['GET', '/containers/id/export', ''],
  ['GET', '/containers/id/attach/ws', 'container_attach_websocket'],
  ['HEAD', '/containers/id/archive', 'container_archive_info'],
  ['PUT', '/containers/id/archive', 'container_archive_extract'],
  ['GET', '/containers/json', 'container_list'],
  ['POST', '/containers/create', 'container_create'],
  ['GET', '/images/id/get', 'images_archive'],
  ['GET', '/images/non_existing', ''],
  ['GET', '/images/json', 'image_list'],
  ['POST', '/images/prune', 'image_prune'],
  ['GET', '/events', ''],
  ['HEAD', '/_ping', ''],
  ['POST', '/containers/prune', ''],
  ['GET', '/volumes', 'volume_list'],
  ['GET', '/networks/id', 'network_inspect'],
  ['POST', '/swarm/update', 'swarm_update'],
  ['GET', '/swarm/unlockkey', 'swarm_unlock_key'],
  ['POST', '/services/id/update', 'service_update'],
  ['GET', '/distribution/a/b/json', 'distribution_inspect'],
  // A container's name is not taken for an action.
  ['POST', '/containers/build/exec', 'container_exec_create'],
  ['GET', '/containers/version/json', 'container_inspect'],
  ['POST', '/containers/x/build', 'image_build'],
  ['POST', '/plugins/commit/enable', ''],
])('%s %s is %s', (method, path, action) => {
  expect(brokerAction(method, path)).toBe(action);
});

test('regular expressions are found anywhere, and a user without a name is its own', () => {
  const ask = asking('{"Name":"p","USERS":["",""],"actions":["^container_(list|inspect)$","image"]}');
  expect(ask('', 'GET /containers/json').allow).toBe(true);
  expect(ask('', 'GET /images/x/history').allow).toBe(true);
  expect(ask('', 'GET /containers/x/logs')).toMatchObject({
    allow: false,
    reason: "action 'container_logs' denied for user '' by policy 'p'",
  });
  expect(ask('alice', 'GET /containers/json')).toMatchObject({
    allow: false,
    reason: "no policy applied (user: 'alice' action: 'container_list')",
  });
  // An empty expression fits all, also what the broker does not know.
  const everything = asking('{"users":["alice"],"actions":[""]}');
  expect(everything('alice', 'POST /plugins/x/disable').allow).toBe(true);
  expect(asking('{"users":["alice"],"actions":[""],"readonly":true}')('alice', 'HEAD /_ping').allow).toBe(false);
});

test('the first policy of a user counts; a line that is no policy is passed over, with a warning', () => {
  const warnings: string[] = [];
  const ask = asking(
    '\n{"name":"a","users":["alice"],"actions":["container_list"]}\n{nonsense\n[]\n{"users":"alice"}\n' +
      '{"name":"b","users":["alice"],"actions":[""]}\n{"name":"c","users":["bob"],"actions":["(","(?P<x>docker_info)"]}\n',
    warnings,
  );
  expect(ask('alice', 'GET /info').allow).toBe(false);
  expect(ask('bob', 'GET /info').allow).toBe(true);
  expect(warnings.map((one) => one.replace(/:.*/, ''))).toEqual([
    'line 3',
    'line 4',
    'line 5',
    'line 7',
    'the user "alice" of b is decided by a, which comes first',
  ]);
});
