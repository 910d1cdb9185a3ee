import { randomBytes } from 'node:crypto';
import * as messages from '@cleat/protocol/buildkit/gateway';
import { invalidParameter, notFound, notImplemented } from '@cleat/protocol/errors';
import { nothing } from '@cleat/protocol/grpc/common';
import type { Message, MessageOf } from '@cleat/protocol/grpc/message';
import { type Call, type Method, unary } from '@cleat/protocol/grpc/server';
import { StatusError } from '@cleat/protocol/grpc/status';
import { capabilities } from '../control/capabilities.js';
import type { Job, Result } from '../control/job.js';
import type { ControlServices } from '../control/methods.js';
import { workerOf } from '../control/worker.js';
import { solveDockerfile } from '../frontend/dockerfile.js';
import { definitionOf, imageOf } from '../frontend/references.js';

const service = '/moby.buildkit.v1.frontend.LLBBridge/';
const maxResults = 100;

/** The methods that a client calls while it drives a build by itself; its calls name the build. */
export function gatewayMethods(services: ControlServices): [string, Method][] {
  /** A call within a build. */
  function within<Q, A>(
    name: string,
    request: Message<Q>,
    answer: Message<A>,
    handler: (request: Q, job: Job) => Promise<Partial<A>> | Partial<A>,
  ): [string, Method] {
    const serve = async (message: Q, call: Call): Promise<Partial<A>> => handler(message, await jobOf(services, call));
    return [`${service}${name}`, unary(request, answer, serve)];
  }
  return [
    within('Ping', nothing, messages.pong, () => ({ ...capabilities, Workers: [workerOf(services.version)] })),
    within('Solve', messages.solveRequest, messages.solveResponse, (request, job) => solve(services, job, request)),
    within('Evaluate', messages.refRequest, nothing, ({ Ref }, job) => {
      resultIn(job, Ref);
      return {};
    }),
    within('Return', messages.returnRequest, nothing, ({ result, error }, job) => {
      if (error && error.code !== 0) {
        job.fail(new StatusError(error.code ?? 2, error.message || 'the client gave the build up', detailsOf(error)));
      } else {
        job.return(returned(job, result));
      }
      return {};
    }),
    within('Inputs', nothing, messages.inputsResponse, () => ({})),
    within('Warn', messages.warnRequest, nothing, async (warning, job) => {
      await job.progress.emit({ warnings: [{ ...warning, vertex: warning.digest }] });
      return {};
    }),
  ];
}

async function jobOf({ jobs }: ControlServices, { headers, signal }: Call): Promise<Job> {
  const id = headers['buildkit-controlapi-buildid'];
  if (typeof id !== 'string' || id === '') throw invalidParameter('the call names no build');
  return await jobs.get(id, signal);
}

async function solve(
  services: ControlServices,
  job: Job,
  request: MessageOf<typeof messages.solveRequest>,
): Promise<Partial<MessageOf<typeof messages.solveResponse>>> {
  const image = imageOf(request.Definition);
  if (image !== undefined) return keepResult(job, ofAnother(job, image));
  if (request.Frontend === '') {
    throw notImplemented(
      'graphs of build steps (LLB) are not served: build a Dockerfile, or use a builder of its own (docker buildx create)',
    );
  }
  if (job.results.size >= maxResults) throw invalidParameter(`a build has no more than ${maxResults} results`);
  const result = await solveDockerfile(services, job, {
    frontend: request.Frontend,
    attributes: request.FrontendOpt,
    inputs: request.FrontendInputs,
    entitlements: job.entitlements,
    cacheExports: job.cacheExports,
  });
  return keepResult(job, result);
}

/** A result that the client got from another of its builds: it builds first, and says then where the result goes. */
function ofAnother(job: Job, image: string): Result {
  if (job.cacheExports.length > 0) {
    throw notImplemented('a cache of what is built already is not written: build without BUILDX_EXPERIMENTAL');
  }
  return { image, isOfAnother: true, metadata: new Map() };
}

function keepResult(job: Job, result: Result): Partial<MessageOf<typeof messages.solveResponse>> {
  const metadata = new Map(result.metadata);
  if (result.image === undefined) return { result: { metadata, ref: {} } };
  const id = randomBytes(12).toString('hex');
  job.results.set(id, result);
  return { ref: id, result: { metadata, ref: { id, def: definitionOf(result.image) } } };
}

/** The result that the client chose. */
function returned(job: Job, result: Partial<MessageOf<typeof messages.result>> | undefined): Result {
  const refs = [...(result?.refs?.refs?.values() ?? [])].flatMap((ref) => ref?.id || []);
  const id = result?.ref?.id || result?.refDeprecated || refs[0];
  if (refs.length > 1) throw notImplemented('several platforms at once are not served: build one at a time');
  const metadata = result?.metadata ?? new Map<string, Uint8Array>();
  return id ? { ...resultIn(job, id), metadata } : { metadata };
}

function resultIn(job: Job, id: string): Result {
  const result = job.results.get(id);
  if (!result) throw notFound(`the build has no result ${id}`);
  return result;
}

function detailsOf({ details = [] }: NonNullable<MessageOf<typeof messages.returnRequest>['error']>) {
  return details.map(({ typeUrl = '', value = new Uint8Array(0) }) => ({ typeUrl, value }));
}
