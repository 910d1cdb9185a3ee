import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientOf } from './support/client.js';
import { type Engine, startEngine } from './support/engine.js';

/** Texts that clients and scripts compare, word by word as a stock engine says them; a container's ID is written ID. */
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
  await Promise.all([
    ok('run', '-d', '--name', 'runs', 'busybox', 'sleep', '1000'),
    ok('run', '-d', '--name', 'frozen', '-v', 'held:/d', 'busybox', 'sleep', '1000'),
    ok('create', '--name', 'idle', 'busybox', 'true'),
    ok('network', 'create', 'mine'),
  ]);
  await ok('pause', 'frozen');
});
afterAll(async () => {
  await engine.docker('unpause', 'frozen');
  await engine[Symbol.asyncDispose]();
});
const { ok, refused } = clientOf(() => engine);

/** The daemon's message, as the client shows it. */
async function said(args: string): Promise<string> {
  const words = args.match(/'[^']*'|\S+/g) ?? [];
  const text = await refused(...words.map((word) => word.replaceAll("'", '')));
  return text.replaceAll(/[0-9a-f]{64}/g, 'ID');
}

const gone = 'Error response from daemon: No such container: nosuch\n';
const run = (text: string) =>
  `docker: Error response from daemon: ${text}\n\nRun 'docker run --help' for more information\n`;
const daemon = (text: string) => `Error response from daemon: ${text}\n`;

describe('things that do not exist', () => {
  test.each([
    ...['stop', 'restart', 'pause', 'unpause', 'top', 'diff', 'wait', 'logs'].map((verb) => [`${verb} nosuch`, gone]),
    ['rm nosuch', gone],
    ['kill nosuch', daemon('cannot kill container: nosuch: No such container: nosuch')],
    ['exec nosuch true', gone],
    ['cp nosuch:/x /tmp', gone],
    ['rmi nosuch', daemon('No such image: nosuch:latest')],
    ['history nosuch', daemon('No such image: nosuch:latest')],
    ['tag nosuch x', daemon('No such image: nosuch:latest')],
    ['volume rm nosuch', daemon('get nosuch: no such volume')],
    ['network rm nosuch', daemon('network nosuch not found')],
    ['network connect mine nosuch', gone],
    ['network connect nosuch runs', daemon('network nosuch not found')],
    ['cp runs:/nosuch /tmp', daemon('Could not find the file /nosuch in container runs')],
  ])('%s', async (args, text) => expect(await said(args)).toContain(text.trim().split('\n')[0]));

  test('an exec', async () => {
    expect(await engine.api('GET', '/exec/nosuch/json')).toMatchObject({
      status: 404,
      body: '{"message":"No such exec instance: nosuch"}\n',
    });
  });
});

describe('states', () => {
  test.each([
    ['pause frozen', daemon('container ID is already paused')],
    ['unpause runs', daemon('Container ID is not paused')],
    ['pause idle', daemon('container ID is not running')],
    ['kill idle', daemon('cannot kill container: idle: container ID is not running')],
    ['exec idle true', daemon('container ID is not running')],
    ['exec frozen true', daemon('Container frozen is paused, unpause the container before exec')],
    ['top idle', daemon('container ID is not running')],
    ['start frozen', daemon('cannot start a paused container, try unpause instead')],
    ['kill -s NOSUCH runs', daemon('cannot kill container: runs: invalid signal: NOSUCH')],
    ['stop -s NOSUCH runs', daemon('cannot stop container: runs: invalid signal: NOSUCH')],
    [
      'rm runs',
      daemon(
        'cannot remove container "runs": container is running: stop the container before removing or force remove',
      ),
    ],
    ['rm frozen', daemon('cannot remove container "frozen": container is paused and must be unpaused first')],
    [
      'rename runs idle',
      daemon(
        'Error when allocating new name: Conflict. The container name "/idle" is already in use by container "ID". You have to remove (or rename) that container to be able to reuse that name.',
      ),
    ],
    [
      "rename runs 'a b'",
      daemon(
        'Error when allocating new name: Invalid container name (/a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
      ),
    ],
    ['volume rm held', daemon('remove held: volume is in use - [ID]')],
  ])('%s', async (args, text) => expect(await said(args)).toContain(text.trim()));
});

describe('options that no container can have', () => {
  test.each([
    ['--log-driver nosuch', 'error looking up logging plugin nosuch: plugin "nosuch" not found'],
    ['--log-opt nosuch=1', "unknown log opt 'nosuch' for json-file log driver"],
    ['--log-driver syslog --log-opt nosuch=1', "unknown log opt 'nosuch' for syslog log driver"],
    ['--runtime nosuch', 'unknown or invalid runtime name: nosuch'],
    [
      '--restart bad',
      "invalid restart policy: unknown policy 'bad'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    ['--restart always:3', "invalid restart policy: maximum retry count can only be used with 'on-failure'"],
    ['-m 1m', 'Minimum memory limit allowed is 6MB'],
    ['-m 10m --memory-swap 8m', 'Minimum memoryswap limit should be larger than memory limit, see usage'],
    ['--memory-swap 8m', 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    ['--cpu-period 5', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
    ['--cpus 1 --cpu-quota 5000', 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    ['--cpuset-cpus x', 'Invalid value x for cpuset cpus: invalid format: x'],
    ['--oom-score-adj 5000', 'Invalid value 5000, range for oom score adj is [-1000, 1000]'],
    ['--stop-signal NOSUCH', 'invalid signal: NOSUCH'],
    ['--cap-add nosuch', 'invalid CapAdd: unknown capability: "CAP_NOSUCH"'],
    [
      '--device /dev/nosuch',
      'error gathering device information while adding custom device "/dev/nosuch": no such file or directory',
    ],
    ['--gpus all', 'could not select device driver "" with capabilities: [[gpu]]'],
    ['--pid container:idle', 'failed to join PID namespace: container ID is not running'],
    ['--ipc container:nosuch', 'No such container: nosuch'],
    ['--volumes-from nosuch', 'No such container: nosuch'],
    ['--network container:nosuch', 'No such container: nosuch'],
    ['--network nosuch', 'network nosuch not found'],
    ['-w relative', "the working directory 'relative' is invalid, it needs to be an absolute path"],
    ['-v /a:/d -v /b:/d', 'Duplicate mount point: /d'],
    [
      '-v /a:b',
      "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute",
    ],
    [
      '-v /a:/',
      "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
    ],
    [
      "-v 'bad name:/d'",
      'create bad name: "bad name" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
    [
      '--mount type=bind,source=/nosuch,target=/d',
      'invalid mount config for type "bind": bind source path does not exist: /nosuch',
    ],
    ['-u nosuch', 'unable to find user nosuch: no matching entries in passwd file'],
    ['-u -5', 'uids and gids must be in range 0-2147483647'],
  ])('%s', async (flags, text) => expect(await said(`run ${flags} busybox true`)).toContain(text));

  test('the text of an unknown log driver ends there', async () => {
    const text = 'error looking up logging plugin nosuch: plugin "nosuch" not found';
    expect(await said('run --log-driver nosuch busybox')).toBe(run(text));
  });

  test.each([
    ['nosuch', 127, 'exec: "nosuch": executable file not found in $PATH: unknown'],
    ['/etc', 126, 'exec: "/etc": '],
    ['/etc/group', 126, 'exec: "/etc/group": permission denied: unknown'],
  ])('the command %s ends with %i', async (command, code, text) => {
    const result = await engine.docker('run', '--rm', 'busybox', command);
    expect(result).toMatchObject({ code, stderr: expect.stringContaining(text) });
    expect((await engine.docker('exec', 'runs', command)).code).toBe(code);
  });

  test('a port that is taken', async () => {
    await ok('run', '-d', '-p', '127.0.0.1:45873:80', 'busybox', 'sleep', '1000');
    expect(await said('run -p 127.0.0.1:45873:80 busybox')).toContain(
      'Bind for 127.0.0.1:45873 failed: port is already allocated',
    );
  });
});

describe('networks', () => {
  beforeAll(() => ok('run', '-d', '--name', 'hosted', '--network', 'host', 'busybox', 'sleep', '1000'));

  test.each([
    [
      'network disconnect host hosted',
      'cannot disconnect container from host network - container was created in host network mode',
    ],
    ['network connect host hosted', 'endpoint with name hosted already exists in network host'],
    ['run --network container: busybox', 'invalid network mode: invalid container format container:<name|id>'],
    ['network disconnect -f mine nosuch', 'endpoint nosuch not found'],
    ['network disconnect -f nosuch nosuch', 'network nosuch not found'],
    [
      'network create --subnet 10.1.2.3/24 --subnet 10.2.2.3/24 x',
      // The client sends them in any order.
      'invalid network config:\n* invalid subnet 10.',
    ],
    ['create --mac-address 01:00:5e:00:00:01 busybox', 'invalid MAC address: 01:00:5e:00:00:01, which is not one of'],
    ['create --mac-address 00:00:00:00:00:00 busybox', 'invalid MAC address: 00:00:00:00:00:00, which is not one of'],
  ])('%s', async (args, text) => expect(await said(args)).toContain(text));
});

describe('filters', () => {
  test.each([
    ['ps --filter nosuch=1', "invalid filter 'nosuch'"],
    ['ps --filter exited=x', `invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax`],
    ['ps --filter publish=x', 'error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax'],
    ['volume ls -f nosuch=1', "invalid filter 'nosuch'"],
    ['network ls -f nosuch=1', "invalid filter 'nosuch'"],
    ['network ls -f dangling=x', `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`],
    ['network ls -f dangling=1 -f dangling=0', 'got more than one value for filter key "dangling"'],
    ['network prune -f --filter until=x', 'daemon: failed to parse value as time or duration'],
    ['container prune -f --filter nosuch=1', "invalid filter 'nosuch'"],
    ['image prune -f --filter nosuch=1', "invalid filter 'nosuch'"],
    ['volume prune -f --filter nosuch=1', "invalid filter 'nosuch'"],
    ['network prune -f --filter nosuch=1', "invalid filter 'nosuch'"],
    ['system prune -f --filter nosuch=1', "invalid filter 'nosuch'"],
  ])('%s', async (args, text) => expect(await said(args)).toContain(text));
});

describe('swarm mode', () => {
  test.each([
    ['swarm init', 'this engine has no swarm mode'],
    ['swarm join --token x 1.2.3.4', 'this engine has no swarm mode'],
    ['swarm leave', 'This node is not part of a swarm'],
    ...['node ls', 'service ls', 'secret ls', 'config ls', 'stack ls', 'network create -d overlay --scope swarm x'].map(
      (args) => [args, 'This node is not a swarm manager. This engine has no swarm mode.'],
    ),
  ])('%s', async (args, text) => {
    const shown = await said(args);
    expect(shown).toContain(text);
    expect(shown).not.toContain('docker swarm init');
  });
});

describe('names that are too long', () => {
  const long = 'n'.repeat(5000);
  const other = 'o'.repeat(5000);

  test.each<[string, string, object | undefined, number[]]>([
    ['POST', '/volumes/create', { Name: long }, [400]],
    ['POST', '/containers/create', { Image: 'busybox', HostConfig: { Binds: [`${long}:/d`] } }, [400]],
    ['POST', '/containers/create', { Image: long }, [400, 404]],
    ['POST', '/containers/create', { Image: 'busybox', Hostname: long }, [400]],
    ['POST', `/containers/create?name=${long}`, { Image: 'busybox' }, [201, 400]],
    ['POST', '/networks/create', { Name: long }, [201, 400]],
    ['POST', `/images/busybox/tag?repo=x&tag=${long}`, undefined, [400]],
    ['POST', `/images/busybox/tag?repo=${long}`, undefined, [400]],
    ['POST', `/containers/runs/rename?name=${long}`, undefined, [204, 400, 409]],
    ['GET', `/containers/${other}/json`, undefined, [400, 404]],
    ['GET', `/images/${other}/json`, undefined, [400, 404]],
    ['GET', `/volumes/${other}`, undefined, [400, 404]],
    ['GET', `/networks/${other}`, undefined, [400, 404]],
    ['GET', `/exec/${other}/json`, undefined, [400, 404]],
    ['DELETE', `/volumes/${other}`, undefined, [400, 404]],
    ['DELETE', `/networks/${other}`, undefined, [400, 404]],
    ['DELETE', `/images/${other}`, undefined, [400, 404]],
  ])('%s %.40s', async (method, path, body, statuses) => {
    const answer = await engine.api(method, path, body);
    expect(statuses, answer.body.slice(0, 300)).toContain(answer.status);
    expect(answer.body).not.toMatch(/target buffer|MDB|LMDB|ENAMETOOLONG/);
  });
});

describe('values that are too long: the runtime says so, and the client gets its whole message', () => {
  const long = `/${'x'.repeat(5_000)}`;
  const failed = 'create failed: unable to start container process: ';
  test.each([
    ['a bind', `run --rm -v /tmp:${long} busybox true`, `${failed}error during container init: error mounting `],
    ['a tmpfs', `run --rm --tmpfs ${long} busybox true`, `${failed}error during container init: error mounting `],
    ['a program', `run --rm --entrypoint ${long} busybox`, `${failed}exec: "${long}": stat ${long}: `],
    ['a working directory', `run --rm -w ${long} busybox true`, `lstat ${long}: `],
    ['a volume', `run --rm -v held:${long} busybox true`, ''],
    ['a host path', `run --rm -v ${long}:/x busybox true`, 'error while creating mount source path'],
    ['a program of an exec', `exec runs ${long}`, `OCI runtime exec failed: exec failed: unable to start`],
    ['an exec’s directory', `exec -w ${long} runs true`, 'chdir to cwd'],
  ])('%s', async (_what, args, text) => {
    // The message of an exec's runtime comes as the exec's output.
    const { code, stdout, stderr } = await engine.docker(...args.split(' '));
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain(text);
    expect(stdout + stderr).toMatch(/name too long/);
  });
});

describe('a container that can never start is refused at create, in a stock engine’s words', () => {
  const log = (option: string, value: string) => ({ LogConfig: { Type: 'json-file', Config: { [option]: value } } });
  test.each<[string, object, string]>([
    ['a tag', log('tag', '{{'), 'template: log-tag:1: unclosed action'],
    ['an expression', log('labels-regex', '('), 'error parsing regexp: missing closing ): `(`'],
    ['shares', { CpuShares: -1 }, 'shares: invalid argument'],
    [
      'a bind that copies nothing',
      { Binds: ['/tmp:/b:nocopy'] },
      `invalid volume specification: '/tmp:/b:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
    ],
    [
      'a mode',
      { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { Mode: -1 } }] },
      'invalid JSON: json: cannot unmarshal number -1 into Go struct field TmpfsOptions.HostConfig.Mounts.TmpfsOptions.Mode of type fs.FileMode',
    ],
  ])('%s', async (_what, HostConfig, message) => {
    const answer = await engine.api('POST', '/containers/create', { Image: 'busybox', HostConfig });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([400, { message }]);
  });

  test('shares of a container', async () => {
    const answer = await engine.api('POST', '/containers/runs/update', { CpuShares: -1 });
    expect([answer.status, answer.body]).toEqual([400, '{"message":"shares: invalid argument"}\n']);
  });
});

describe('a path that leads through a file', () => {
  const through = ['/bin/busybox/', '/bin/busybox/x'];
  test.each(['GET', 'PUT'].flatMap((method) => through.map((path) => [method, path])))(
    '%s %s',
    async (method, path) => {
      const answer = await engine.api(method ?? '', `/containers/runs/archive?path=${path}`);
      expect([answer.status, answer.body]).toEqual([400, `{"message":"lstat ${path}: not a directory"}\n`]);
    },
  );
});

describe('requests and answers that one client makes large', () => {
  const labels = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, 'x'.repeat(30)]));
  const hosts = Array.from({ length: 10_000 }, (_, at) => `host${at}:10.0.0.1`);

  test('has a bound, and ten thousand hosts are within it', async () => {
    const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { ExtraHosts: hosts } };
    expect(await engine.api('POST', '/containers/create?name=many', body)).toMatchObject({ status: 201 });
    const { body: list } = await engine.api('GET', '/containers/json?all=1&filters={"name":["many"]}');
    expect(list.length).toBeLessThan(10_000);
    expect(JSON.parse((await engine.api('GET', '/containers/many/json')).body).HostConfig.ExtraHosts).toEqual(hosts);
    await engine.api('DELETE', '/containers/many');
  });

  test.each([
    ['container', '/containers/create?name=large', { Image: 'busybox' }],
    ['volume', '/volumes/create', { Name: 'large' }],
    ['network', '/networks/create', { Name: 'large' }],
  ])('a %s', async (what, path, body) => {
    const refused = await engine.api('POST', path, { ...body, Labels: labels(60_000) });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatch(new RegExp(`the configuration of the ${what} is larger than 2097152 bytes`));
    const tooLarge = await engine.api('POST', path, { ...body, Labels: labels(150_000) });
    expect([tooLarge.status, tooLarge.body]).toEqual([
      400,
      '{"message":"request body is larger than 4194304 bytes"}\n',
    ]);
    expect((await engine.api('GET', `/${what}s/large${what === 'container' ? '/json' : ''}`)).status).toBe(404);
  });
});

test('checkpoints are refused, by each of their routes', async () => {
  for (const [method, path] of [
    ['GET', '/containers/any/checkpoints'],
    ['POST', '/containers/any/checkpoints'],
    ['DELETE', '/containers/any/checkpoints/one'],
  ] as const) {
    const { status, body } = await engine.api(method, path);
    expect({ status, body }).toEqual({
      status: 501,
      body: expect.stringContaining('experimental feature is disabled'),
    });
  }
});
