import type { Audit } from '@cleat/engine/audit/service';
import type { Authorization } from '@cleat/engine/authorization/service';
import type { Builds } from '@cleat/engine/build/service';
import type { Callers } from '@cleat/engine/callers/service';
import type { Containers } from '@cleat/engine/containers/service';
import type { Events } from '@cleat/engine/events/service';
import type { Execs } from '@cleat/engine/exec/service';
import type { Hooks } from '@cleat/engine/hooks/service';
import type { Images } from '@cleat/engine/images/service';
import type { Networks } from '@cleat/engine/networks/service';
import type { Plugins } from '@cleat/engine/plugins/service';
import type { Spool } from '@cleat/engine/spool/service';
import type { Store } from '@cleat/engine/store/service';
import type { System } from '@cleat/engine/system/service';
import type { Volumes } from '@cleat/engine/volumes/service';

/** Everything that the API translates to. */
export interface ApiServices {
  readonly builds: Builds;
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly plugins: Plugins;
  readonly events: Events;
  readonly system: System;
  /** Where the state is: what is answered is on disk. */
  readonly store?: Pick<Store, 'flush'>;
  /** Where requests are recorded; absent: nowhere. */
  readonly audit?: Audit;
  /** Asked before every request is served; absent: nobody. */
  readonly authorization?: Authorization;
  /** Change requests and answers; absent: nobody does. */
  readonly hooks?: Hooks;
  /** Tells who the clients are; absent: nobody is known. */
  readonly callers?: Callers;
  /** Output that log drivers have not got, without I/O on their side. */
  readonly spool?: Pick<Spool, 'deliveries'>;
  /** The known facts about the extensions, without I/O. */
  readonly extensions?: {
    list(): readonly {
      readonly name: string;
      readonly aliases?: readonly string[];
      readonly entry: string | undefined;
      readonly kinds: readonly string[];
    }[];
    /** The latest lines of one in the engine's log, after the line of that number. */
    lines(extension: string, after: number): readonly { readonly number: number }[];
  };
}
