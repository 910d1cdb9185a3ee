import type { BuildOrder } from '@cleat/engine/build/service';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import { BuildRequest } from '@cleat/protocol/kinds/builder';
import Type, { type Static, type TSchema } from '@cleat/protocol/schema';
import type { Exchange } from '../http/exchange.js';
import { registryConfig } from './registry-config.js';

/** Parts of an order that a client's query says: everything but where the files are. */
export type Asked = Omit<BuildOrder, 'Context' | 'Dockerfile'>;

const BuildArgs = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]));
const Texts = Type.Array(Type.String());
const Labels = Type.Record(Type.String(), Type.String());
const Outputs = Type.Array(Type.Object({ Type: Type.Optional(Type.String()) }));

/**
 * The query of `POST /build` for the classic builder, in moby's order (`daemon/server/router/build`).
 * @throws InvalidParameter for what is not understood, or not done here
 */
export function askedOf(x: Exchange): Asked {
  const { query } = x;
  const text = (name: string): string | undefined => query.text(name) || undefined;
  if (query.has('securityopt')) throw invalidParameter('security options are not supported on linux');
  const removes = query.flag('forcerm') || query.text('rm') === '' || query.flag('rm');
  refuseOutputs(x);
  const isolation = query.text('isolation');
  if (!['', 'default'].includes(isolation.toLowerCase())) {
    throw invalidParameter(`unsupported isolation: ${JSON.stringify(isolation)}`);
  }
  const cacheFrom = jsonIn(x, 'cachefrom', Texts, 'error reading cache-from');
  const args = jsonIn(x, 'buildargs', BuildArgs, 'error reading build args');
  const asked: Asked = {
    tags: query.all('t'),
    DockerfileName: text('dockerfile') ?? 'Dockerfile',
    Target: text('target'),
    Platform: text('platform'),
    // A value that the client's environment does not have is no argument.
    BuildArgs:
      args && Object.fromEntries(Object.entries(args).filter((pair): pair is [string, string] => pair[1] !== null)),
    Labels: jsonIn(x, 'labels', Labels, 'error reading labels'),
    NoCache: query.flag('nocache') || undefined,
    Pull: query.flag('pull') || undefined,
    CacheFrom: cacheFrom,
    CacheFromOnly: (cacheFrom ?? []).length > 0 || undefined,
    Network: text('networkmode'),
    ExtraHosts: some(query.all('extrahosts')),
    ShmSize: size(query.text('shmsize')),
    Ulimits: jsonIn(x, 'ulimits', BuildRequest.properties.Ulimits, 'error reading ulimit settings'),
    CgroupParent: text('cgroupparent'),
    Memory: query.integer('memory') || undefined,
    MemorySwap: query.integer('memswap') || undefined,
    CpuShares: query.integer('cpushares') || undefined,
    CpuPeriod: query.integer('cpuperiod') || undefined,
    CpuQuota: query.integer('cpuquota') || undefined,
    CpuSetCpus: text('cpusetcpus'),
    CpuSetMems: text('cpusetmems'),
    KeepContainers: removes ? undefined : true,
    KeepFailed: query.flag('forcerm') ? undefined : true,
    StepImages: true,
    RegistryAuth: registryConfig(x.headers['x-registry-config']),
    id: text('buildid'),
  };
  if (query.flag('squash')) throw invalidParameter('squash is only supported with experimental mode');
  // Absent members are not sent.
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as unknown as Asked;
}

/** Which builder's words: 1 classic, 2 BuildKit. @throws InvalidParameter */
export function versionOf(x: Exchange): '1' | '2' {
  const version = x.query.text('version') || '1';
  if (version !== '1' && version !== '2') throw invalidParameter(`invalid version ${JSON.stringify(version)}`);
  return version;
}

function refuseOutputs(x: Exchange): void {
  if (x.before('1.40')) return;
  const outputs = jsonIn(x, 'outputs', Outputs, 'invalid outputs specified');
  if (outputs && outputs.length > 0) {
    throw invalidParameter('outputs are for BuildKit: build with docker buildx, or without --output');
  }
}

/** JSON in the query; undefined where there is none, or null. @throws InvalidParameter, which begins with `complaint` */
export function jsonIn<S extends TSchema>(
  x: Exchange,
  name: string,
  schema: S,
  complaint: string,
): Static<S> | undefined {
  const text = x.query.text(name);
  if (text === '') return undefined;
  try {
    const value = parseJson(text);
    return value === null ? undefined : (decode(schema, value, name) as Static<S>);
  } catch (cause) {
    throw invalidParameter(`${complaint}: ${messageOf(cause)}`, { cause });
  }
}

/** @throws InvalidParameter; a stock engine's 500 blames itself */
function size(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw invalidParameter(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text) || undefined;
}

const some = (list: string[]): string[] | undefined => (list.length > 0 ? list : undefined);
