// The file and the changes of run time make one effective view, and a reload knows what of them it undoes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diff } from '../../src/model/diff.js';
import type { DirectorConfig, RealServer } from '../../src/model/director-config.js';
import { effectiveConfig, undoneBy } from '../../src/model/layers.js';
import { endpointText, serviceKey } from '../../src/model/service-id.js';
import { arbitraryConfig } from '../support/arbitrary-config.js';
import { withoutOrigins } from '../support/parse-config.js';

const config = arbitraryConfig();

function withServers(config: DirectorConfig, change: (server: RealServer) => RealServer): DirectorConfig {
  const virtualServers = config.virtualServers.map((service) => ({
    ...service,
    realServers: service.realServers.map(change),
  }));
  return { ...config, virtualServers };
}

const byHand = (server: RealServer): RealServer => ({ ...server, weight: (server.weight + 1) % 65_536 });
const byFile = (server: RealServer): RealServer => ({ ...server, upperThreshold: server.upperThreshold + 1 });

test('the file with the changes is what the changes led to', () => {
  fc.assert(
    fc.property(config, config, (file, wanted) => {
      const effective = effectiveConfig({ file, changes: diff(file, wanted) });
      expect(withoutOrigins(effective)).toEqual(withoutOrigins(wanted));
    }),
  );
});

test('without changes it is the file, and a reload undoes nothing', () => {
  fc.assert(
    fc.property(config, config, (file, next) => {
      expect(withoutOrigins(effectiveConfig({ file, changes: [] }))).toEqual(withoutOrigins(file));
      expect(undoneBy({ file, changes: [] }, next)).toEqual([]);
    }),
  );
});

test('a weight by hand stays over another file, which has the rest', () => {
  fc.assert(
    fc.property(config, (file) => {
      const changes = diff(file, withServers(file, byHand));
      const next = withServers(file, byFile);
      const effective = effectiveConfig({ file: next, changes });
      expect(withoutOrigins(effective)).toEqual(withoutOrigins(withServers(next, byHand)));
    }),
  );
});

test('a reload undoes exactly what its file does not say', () => {
  fc.assert(
    fc.property(config, (file) => {
      const changed = withServers(file, byHand);
      const layers = { file, changes: diff(file, changed) };
      expect(undoneBy(layers, changed)).toEqual([]);
      const undone = undoneBy(layers, file).flatMap((change) =>
        change.kind === 'destination-changed'
          ? [`${serviceKey(change.service)} ${endpointText(change.after)}`]
          : ['another change'],
      );
      const servers = file.virtualServers.flatMap(({ id, realServers }) =>
        realServers.map((server) => `${serviceKey(id)} ${endpointText(server)}`),
      );
      expect(undone).toEqual(servers);
    }),
  );
});
