import { describe, expect, it } from '@jest/globals';
import { mediaConfig } from './config.js';

describe('The configuration of a media server', () => {
  const problems = (more: Record<string, string>) => {
    const { error } = mediaConfig.safeParse({ HOLDFAST_MEDIA_ID: 'media1', ...more });
    return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  };

  it('names a volume or a library', () => {
    expect(problems({})).toEqual([
      'HOLDFAST_MEDIA_VOLUMES: a media server has a volume or a library',
    ]);
    expect(problems({ HOLDFAST_MEDIA_LIBRARIES: 'tape=/tape' })).toEqual([]);
  });

  it('has volumes that deduplicate, if it says so', () => {
    const volumes = (text: string) =>
      mediaConfig.parse({ HOLDFAST_MEDIA_ID: 'media1', HOLDFAST_MEDIA_VOLUMES: text })
        .HOLDFAST_MEDIA_VOLUMES;
    expect(volumes('main=/a, copy=dedup:/b=c')).toEqual([
      { pool: 'main', path: '/a', kind: 'directory' },
      { pool: 'copy', path: '/b=c', kind: 'chunks' },
    ]);
    for (const wrong of ['main=dedup:a', 'main=a', 'main=dedup:', 'main=other:/a', 'dedup:/a']) {
      expect(problems({ HOLDFAST_MEDIA_VOLUMES: wrong })).not.toEqual([]);
    }
    expect(problems({ HOLDFAST_MEDIA_LIBRARIES: 'tape=dedup:/a' })).toEqual([
      'HOLDFAST_MEDIA_LIBRARIES: a library does not deduplicate',
    ]);
  });

  it('has no mount request wait for longer than a timer can', () => {
    const waits = (text: string) =>
      problems({ HOLDFAST_MEDIA_LIBRARIES: 'tape=/a', HOLDFAST_MOUNT_TIMEOUT: text });
    expect(waits('24d')).toEqual([]);
    expect(waits('25d')).toEqual(['HOLDFAST_MOUNT_TIMEOUT: is at most 24 days']);
    expect(waits('soon')[0]).toContain('HOLDFAST_MOUNT_TIMEOUT: is no duration');
  });

  it('has no two libraries of one pool, whose cartridges would belong to both', () => {
    expect(problems({ HOLDFAST_MEDIA_LIBRARIES: 'tape=/a,weekly=/b' })).toEqual([]);
    expect(problems({ HOLDFAST_MEDIA_LIBRARIES: 'tape=/a,tape=/b' })).toEqual([
      'HOLDFAST_MEDIA_LIBRARIES: each library of a media server has a pool of its own',
    ]);
  });
});
