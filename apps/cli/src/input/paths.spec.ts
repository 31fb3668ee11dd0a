import { describe, expect, it } from '@jest/globals';
import { imagePath, localPath } from './paths.js';

describe('a path of this machine', () => {
  it('is made absolute from the working folder', () => {
    expect(localPath('etc/../x/', '/home/me')).toBe('/home/me/x');
    expect(localPath('/etc', '/home/me')).toBe('/etc');
    expect(localPath('.', '/')).toBe('/');
  });

  it('becomes path text', () => {
    expect(localPath('a\\b\nc', '/d')).toBe('/d/a\\\\b\\x0ac');
    expect(localPath('ü\udcff', '/d')).toBe('/d/ü\\xff');
  });

  it('may not be empty', () => {
    expect(() => localPath('', '/d')).toThrow('may not be empty');
  });
});

describe('a path in an image', () => {
  it('is taken as the list of files shows it', () => {
    expect(imagePath('etc/a\\\\b\\x0a*')).toBe('etc/a\\\\b\\x0a*');
  });

  it('may hold raw bytes, too', () => {
    expect(imagePath('a\nb\udcff')).toBe('a\\x0ab\\xff');
  });

  it('is refused where a backslash begins nothing', () => {
    expect(() => imagePath('a\\b')).toThrow('is not a path text');
  });
});
