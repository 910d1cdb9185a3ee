import type { IncomingHttpHeaders } from 'node:http';

/**
 * The best of `offers` that the client's `Accept` header names; wildcards name none (moby
 * `daemon/server/httputils/contenttype`, MatchAcceptStrict). Of equals the first offer wins.
 */
export function acceptedType<T extends string>(headers: IncomingHttpHeaders, offers: readonly T[]): T | undefined {
  const wanted = (headers.accept ?? '').split(',').map((text) => {
    const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
    const q = parameters.find((parameter) => /^q=/i.test(parameter))?.slice(2);
    return { type, quality: q === undefined ? 1 : Number(q) };
  });
  let best: { offer: T; quality: number } | undefined;
  for (const offer of offers) {
    for (const { type, quality } of wanted) {
      if (type === offer && quality > 0 && quality > (best?.quality ?? 0)) best = { offer, quality };
    }
  }
  return best?.offer;
}
