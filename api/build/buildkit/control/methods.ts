import type { BuildCacheRecord, Builds } from '@cleat/engine/build/service';
import * as messages from '@cleat/protocol/buildkit/control';
import { invalidParameter, notImplemented } from '@cleat/protocol/errors';
import { bytesMessage, healthRequest, healthResponse, nothing, toTimestamp } from '@cleat/protocol/grpc/common';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import { type Call, type Method, serverStream, streaming, unary } from '@cleat/protocol/grpc/server';
import { tunnelOf } from '@cleat/protocol/grpc/tunnel';
import type { Logger } from '@cleat/protocol/log';
import { type ExportServices, exportResult } from '../export/export.js';
import { type Exporter, exportersOf } from '../export/exporters.js';
import { type FrontEndServices, solveDockerfile } from '../frontend/dockerfile.js';
import type { Sessions } from '../session/sessions.js';
import { Job, type Jobs, type Result } from './job.js';
import { workerOf } from './worker.js';

export interface ControlServices extends FrontEndServices, ExportServices {
  readonly builds: Builds;
  readonly sessions: Sessions;
  readonly jobs: Jobs;
  readonly log: Logger;
  /** The engine's version. */
  readonly version: string;
}

type SolveRequest = MessageOf<typeof messages.solveRequest>;

/** moby.buildkit.v1.Control, and the health of all. */
export function controlMethods(services: ControlServices): [string, Method][] {
  const { sessions, jobs, builds, log } = services;
  const path = (name: string): string => `/moby.buildkit.v1.Control/${name}`;
  return [
    ['/grpc.health.v1.Health/Check', unary(healthRequest, healthResponse, () => ({ status: 1 }))],
    [
      path('Solve'),
      unary(messages.solveRequest, messages.solveResponse, (request, call) => solve(services, request, call)),
    ],
    [
      path('Status'),
      serverStream(messages.statusRequest, messages.statusResponse, async function* ({ Ref }, { signal }) {
        const progress = jobs.history.progressOf(Ref) ?? (await jobs.get(Ref, signal)).progress;
        yield* progress.watch(signal);
      }),
    ],
    [
      path('Session'),
      streaming(bytesMessage, bytesMessage, (requests, { headers }) => {
        const facts = sessions.describe(headers);
        return tunnelOf(requests, (connection) => sessions.serve(facts, connection), log);
      }),
    ],
    [
      path('ListWorkers'),
      unary(nothing, messages.listWorkersResponse, () => ({ record: [workerOf(services.version)] })),
    ],
    [
      path('Info'),
      unary(nothing, messages.infoResponse, () => ({ buildkitVersion: workerOf(services.version).BuildkitVersion })),
    ],
    [
      path('DiskUsage'),
      unary(messages.diskUsageRequest, messages.diskUsageResponse, async ({ filter }) => {
        const matches = filterOf(filter);
        return { record: (await builds.usage()).filter(matches).map(usageRecord) };
      }),
    ],
    [path('Prune'), serverStream(messages.pruneRequest, messages.usageRecord, (request) => prune(builds, request))],
    [
      path('ListenBuildHistory'),
      serverStream(messages.historyRequest, messages.historyEvent, (request, { signal }) => {
        const { Ref: ref, ActiveOnly: activeOnly, EarlyExit, Filter, Limit: limit } = request;
        if (Filter.length > 0) {
          throw notImplemented(
            'the history of builds is not filtered here: leave --filter out, and choose from the list',
          );
        }
        return jobs.history.events({ ref, activeOnly, limit, follow: !EarlyExit }, signal);
      }),
    ],
    [
      path('UpdateBuildHistory'),
      unary(messages.historyUpdate, nothing, ({ Ref, Pinned, Delete }) => {
        if (Pinned) throw notImplemented('the history of builds is in memory only: no build of it can be pinned');
        if (Delete) jobs.history.remove(Ref);
        return {};
      }),
    ],
  ];
}

async function solve(
  services: ControlServices,
  request: SolveRequest,
  { signal }: Call,
): Promise<{ ExporterResponse: Map<string, string> }> {
  const { sessions, jobs } = services;
  // Before it is looked at: the client's other calls for it wait until it is there, and hear of its end.
  const job = jobs.open(new Job(request.Ref, () => sessions.get(request.Session, signal), signal));
  const { FrontendAttrs: attributes, Exporters, ExporterDeprecated: Type } = request;
  const asked = Exporters.length > 0 || Type === '' ? Exporters : [{ Type, Attrs: request.ExporterAttrsDeprecated }];
  if (!request.Internal) jobs.history.began({ ref: request.Ref, attributes, exporters: asked, progress: job.progress });
  try {
    const exporters = exportersIn(request);
    const toImages = exporters.filter(({ type }) => type === 'image');
    if (toImages.length > 0) job.tags = toImages.flatMap(({ names }) => names);
    const result = await resultOf(services, job, request);
    const ExporterResponse = await exportResult(services, job, result, exporters);
    jobs.close(job);
    jobs.history.ended(job.ref, { response: ExporterResponse });
    return { ExporterResponse };
  } catch (error) {
    jobs.close(job, error);
    jobs.history.ended(job.ref, { error });
    throw error;
  }
}

/** @throws NotImplemented for what is not served */
function exportersIn(request: SolveRequest): Exporter[] {
  if (request.SourcePolicy || request.SourcePolicySession) {
    throw notImplemented(
      'source policies are not served: build without them, or use a builder of its own (docker buildx create)',
    );
  }
  if (request.EnableSessionExporter) throw notImplemented('exporters of the session are not served: leave them out');
  if (request.ProxyNetwork) throw notImplemented('the network proxy for builds is not served: leave it out');
  const { Exporters, ExporterDeprecated: Type, ExporterAttrsDeprecated: Attrs } = request;
  return exportersOf(Exporters.length > 0 || Type === '' ? Exporters : [{ Type, Attrs }]);
}

function resultOf(services: ControlServices, job: Job, request: SolveRequest): Promise<Result> {
  const { Frontend, FrontendAttrs, FrontendInputs, Entitlements, Cache, Definition } = request;
  job.entitlements = Entitlements;
  job.cacheExports = Cache?.Exports ?? [];
  if ((Definition?.def ?? []).length > 0) {
    throw notImplemented(
      'graphs of build steps (LLB) are not served: build a Dockerfile, or use a builder of its own (docker buildx create)',
    );
  }
  // The client goes on by itself, through the gateway, and says what the result is.
  if (Frontend === '') return job.returned;
  return solveDockerfile(services, job, {
    frontend: Frontend,
    attributes: FrontendAttrs,
    inputs: FrontendInputs,
    entitlements: Entitlements,
    cacheExports: job.cacheExports,
  });
}

async function* prune(
  builds: Builds,
  request: MessageOf<typeof messages.pruneRequest>,
): AsyncGenerator<Partial<MessageOf<typeof messages.usageRecord>>> {
  const filters: Record<string, string[]> = {};
  for (const one of request.filter) {
    if (one === '') continue;
    for (const part of one.split(',')) {
      const [, name = '', value = ''] = /^([\w-]+)(?:==|=)(.*)$/.exec(part.trim()) ?? [];
      if (name === '') throw invalidParameter(`failed to parse filter ${one}`);
      filters[name] = [...(filters[name] ?? []), value];
    }
  }
  if (request.keepDuration > 0) filters.until = [`${Math.round(request.keepDuration / 1e9)}s`];
  const before = new Map((await builds.usage()).map((record) => [record.ID, record]));
  const { CachesDeleted } = await builds.prune({
    all: request.all,
    filters,
    reservedSpace: request.reservedSpace || undefined,
    maxUsedSpace: request.maxUsedSpace || undefined,
    minFreeSpace: request.minFreeSpace || undefined,
  });
  for (const ID of CachesDeleted) yield usageRecord(before.get(ID) ?? { ID });
}

/** `type==regular`, `id=…`, as containerd's filters of `du` go; each part must hold. @throws InvalidParameter */
function filterOf(filters: readonly string[]): (record: BuildCacheRecord) => boolean {
  const fields: Readonly<Record<string, (record: BuildCacheRecord) => string>> = {
    id: ({ ID }) => ID,
    type: ({ Type = 'regular' }) => Type,
    description: ({ Description = '' }) => Description,
    inuse: ({ InUse = false }) => `${InUse}`,
    shared: ({ Shared = false }) => `${Shared}`,
    private: ({ Shared = false }) => `${!Shared}`,
  };
  const alternatives = filters.filter(Boolean).map((filter) =>
    filter.split(',').map((part) => {
      const [, name = '', operator = '', value = ''] = /^\s*(\w+)\s*(==|!=|~=|=)?(.*)$/.exec(part) ?? [];
      const field = fields[name];
      if (!field)
        throw invalidParameter(`failed to parse filter ${filter}: it may ask for ${Object.keys(fields).join(', ')}`);
      if (operator === '~=') {
        if (name !== 'description')
          throw invalidParameter(`filter ${filter}: only the description is compared with ~=`);
        return (record: BuildCacheRecord) => field(record).includes(value);
      }
      const wanted = operator === '' ? 'true' : value.replace(/^"(.*)"$/, '$1');
      return (record: BuildCacheRecord) => (field(record) === wanted) === (operator !== '!=');
    }),
  );
  return (record) => alternatives.length === 0 || alternatives.some((parts) => parts.every((part) => part(record)));
}

function usageRecord(record: BuildCacheRecord): Partial<MessageOf<typeof messages.usageRecord>> {
  return {
    ID: record.ID,
    Mutable: record.Type === 'exec.cachemount' || record.Type === 'source.local',
    InUse: record.InUse ?? false,
    Size: record.Size ?? 0,
    Parent: record.Parents?.[0] ?? '',
    Parents: record.Parents ?? [],
    CreatedAt: toTimestamp(record.CreatedAt),
    LastUsedAt: toTimestamp(record.LastUsedAt),
    UsageCount: record.UsageCount ?? 0,
    Description: record.Description ?? '',
    RecordType: record.Type ?? 'regular',
    Shared: record.Shared ?? false,
  };
}
