import type { Platform } from '@cleat/engine/images/service';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';
import type { Exchange } from '../http/exchange.js';

/** An OCI platform. What only Windows and wildcards need is left out. */
const PlatformBody = Type.Object({
  architecture: Type.Optional(Type.String()),
  os: Type.Optional(Type.String()),
  'os.version': Type.Optional(Type.String()),
  'os.features': Type.Optional(Type.Array(Type.String())),
  variant: Type.Optional(Type.String()),
});

/**
 * A platform as query parameters carry it: JSON (moby `daemon/server/httputils/form.go`, DecodePlatform).
 * @throws InvalidParameter
 */
export function decodePlatform(text: string): Platform {
  const { os = '', architecture = '', variant = '', ...rest } = parsed(text);
  if (os === '' || architecture === '') {
    const hasMore = variant !== '' || !!rest['os.version'] || (rest['os.features']?.length ?? 0) > 0;
    throw invalidParameter(
      os === '' && architecture === '' && hasMore
        ? 'optional platform fields provided, but OS and Architecture are missing'
        : 'both OS and Architecture must be provided',
    );
  }
  return { os, architecture, ...(variant !== '' && { variant }) };
}

function parsed(text: string) {
  try {
    return decode(PlatformBody, parseJson(text), 'Platform');
  } catch (cause) {
    throw invalidParameter(`failed to parse platform: ${messageOf(cause)}`, { cause });
  }
}

/** An optional one; an empty text is none. */
export function optionalPlatform(text: string): Platform | undefined {
  return text === '' ? undefined : decodePlatform(text);
}

/** The platforms of `save` and `load`: several came with API 1.52. @throws InvalidParameter */
export function platformsFor(x: Pick<Exchange, 'before'>, texts: readonly string[]): Platform[] {
  if (x.before('1.52') && texts.length > 1) {
    throw invalidParameter(
      'multiple platform parameters are not supported in this API version; use API version 1.52 or later',
    );
  }
  return texts.map(decodePlatform);
}
