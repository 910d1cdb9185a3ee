import type { Images } from '@cleat/engine/images/service';
import { invalidParameter, notFound } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';
import { optionalPlatform } from './platform.js';

/**
 * `GET /images/{name}/attestations`. Attestations are manifests of their own in an image's index, which are not brought
 * here with the image: where the index has none for it, the list is empty, whatever `type` and `statement` say.
 * @throws NotFound where it has one, as moby does for one whose content is not here
 */
export async function attestations(x: Exchange, images: Images): Promise<void> {
  const [text, ...others] = x.query.all('platform');
  if (others.length > 0) throw invalidParameter('only one platform value is currently supported');
  const name = x.param('name');
  const asked = optionalPlatform(text ?? '');
  const { Os, Architecture, Variant } = await images.inspect(name, asked);
  const platform = asked ?? { os: Os, architecture: Architecture, ...(Variant && { variant: Variant }) };
  const { Descriptor, Manifests = [] } = await images.inspect(name, platform, { manifests: true });
  const found = Manifests.find((one) => one.Kind === 'attestation' && one.AttestationData.For === Descriptor?.digest);
  if (found) {
    throw notFound(
      `attestation manifest ${found.ID} is not available locally: attestations are not brought here with images, ask the registry`,
    );
  }
  x.send(200, []);
}
