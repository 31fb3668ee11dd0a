import { describe, expect, it } from '@jest/globals';
import { mediaPlans, volumeText } from './media-plan.js';

describe('the media servers of a cluster', () => {
  it('are one with pool main, if nothing else is asked for', () => {
    expect(mediaPlans({}, '/data/media')).toEqual([
      { mediaId: 'media1', volumes: [{ pool: 'main', path: '/data/media/main' }] },
    ]);
  });

  it('may have further volumes, and companions here and elsewhere', () => {
    const plans = mediaPlans(
      { mediaId: 'm1', volumes: ['copy=/mnt/a'], mediaServers: ['m2:copy=/mnt/b,main=/c', 'm3'] },
      '/data/media',
    );
    expect(plans.map(({ mediaId }) => mediaId)).toEqual(['m1', 'm2', 'm3']);
    expect(plans[0]!.volumes[1]).toEqual({ pool: 'copy', path: '/mnt/a' });
    expect(plans[1]!.volumes.map(({ pool }) => pool)).toEqual(['copy', 'main']);
    expect(plans[2]!.volumes).toEqual([]);
  });

  it('may have libraries, on the first one', () => {
    const [plan] = mediaPlans({ libraries: ['tape=/mnt/library'] }, '/data/media');
    expect(plan!.libraries).toEqual([{ pool: 'tape', path: '/mnt/library' }]);
  });

  it('may have volumes that deduplicate', () => {
    const plans = mediaPlans(
      { volumes: ['copy=dedup:/mnt/a'], mediaServers: ['m2:far=dedup:/mnt/b,main=/c'] },
      '/data/media',
    );
    const places = plans.flatMap(({ volumes }) => volumes.map(volumeText));
    expect(places).toEqual([
      'main=/data/media/main',
      'copy=dedup:/mnt/a',
      'far=dedup:/mnt/b',
      'main=/c',
    ]);
    expect(plans[1]!.volumes[0]).toEqual({ pool: 'far', path: '/mnt/b', deduplicates: true });
  });

  it.each([
    [{ libraries: ['tape'] }, /no library/],
    [{ libraries: ['tape=dedup:/a'] }, /no library/],
    [{ volumes: ['copy=dedup:a'] }, /absolute/],
    [{ volumes: ['copy'] }, /POOL=FOLDER/],
    [{ volumes: ['copy=relative'] }, /absolute/],
    [{ volumes: ['no pool=/a'] }, /no volume/],
    [{ mediaServers: ['m 2'] }, /media server's name/],
    [{ mediaServers: ['media1'] }, /two media servers "media1"/],
  ])('cannot be %j', (wishes, why) => {
    expect(() => mediaPlans(wishes, '/data/media')).toThrow(why);
  });
});
