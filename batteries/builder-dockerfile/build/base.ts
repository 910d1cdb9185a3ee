import { notFound } from '@cleat/protocol/errors';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Image, Images, Platform } from '../api/images.js';
import { platformText } from '../plan/platform.js';
import type { StepView } from './step-view.js';

/** Images that a build begins with or copies from; each is looked for once. */
export class Bases {
  readonly #images: Images;
  readonly #request: Pick<BuildRequest, 'Pull' | 'RegistryAuth'>;
  readonly #signal: AbortSignal;
  readonly #found = new Map<string, Promise<Image>>();

  constructor(images: Images, request: Pick<BuildRequest, 'Pull' | 'RegistryAuth'>, signal: AbortSignal) {
    this.#images = images;
    this.#request = request;
    this.#signal = signal;
  }

  /** @param platform undefined: whatever is here, or else the host's @throws with the registry's words */
  async get(reference: string, platform: Platform | undefined, vertex: StepView): Promise<Image> {
    const key = `${reference} ${platform ? platformText(platform) : ''}`;
    const known = this.#found.get(key);
    if (known) return await known;
    const looking = this.#find(reference, platform, vertex);
    looking.catch(() => {}); // The caller is told.
    this.#found.set(key, looking);
    return await looking;
  }

  async #find(reference: string, platform: Platform | undefined, vertex: StepView): Promise<Image> {
    const here = this.#request.Pull && !isId(reference) ? undefined : await this.#images.find(reference, platform);
    if (here) return here;
    if (isId(reference)) throw notFound(`No such image: ${reference}`);
    const auth = authFor(reference, this.#request.RegistryAuth ?? {});
    await this.#images.pull(tagged(reference), {
      ...(platform && { platform: platformText(platform) }),
      ...(auth !== undefined && { auth }),
      signal: this.#signal,
      onLine: async ({ id, status, current, total }) => {
        if (id === '') return;
        const isDone = /complete|already exists|^Status/i.test(status) && !/verif/i.test(status);
        await vertex.status(`${id} ${status}`, {
          ...(current !== undefined && { current }),
          ...(total !== undefined && { total }),
          isDone,
        });
      },
    });
    const image = await this.#images.find(reference, platform);
    if (image) return image;
    const wanted = platform ? ` for the platform ${platformText(platform)}` : '';
    throw notFound(`${reference} was pulled, but there is no such image${wanted}`);
  }
}

/** The ID of an image is no name that could be pulled. */
function isId(reference: string): boolean {
  return /^(sha256:)?[0-9a-f]{64}$/.test(reference);
}

function tagged(reference: string): string {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? reference : `${reference}:latest`;
}

/** `X-Registry-Auth` for the registry of a reference. */
function authFor(reference: string, given: NonNullable<BuildRequest['RegistryAuth']>): string | undefined {
  const [first = ''] = reference.split('/');
  const isHost = reference.includes('/') && /[.:]|^localhost$/.test(first);
  const hosts =
    isHost && first !== 'docker.io' && first !== 'index.docker.io'
      ? [first, `https://${first}`, `http://${first}`]
      : ['docker.io', 'index.docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'];
  const host = hosts.find((one) => Object.hasOwn(given, one));
  if (host === undefined) return undefined;
  return Buffer.from(JSON.stringify({ serveraddress: host, ...given[host] })).toString('base64url');
}
