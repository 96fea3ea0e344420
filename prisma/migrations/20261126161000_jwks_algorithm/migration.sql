-- Better Auth 1.7 notes by which algorithm a key signs. Keys that were made before have none, and sign by the default one.
ALTER TABLE "_jwks" ADD COLUMN "alg" TEXT, ADD COLUMN "crv" TEXT;
