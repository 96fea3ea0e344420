-- For Better Auth's plugin of organizations: the one that a session's user works in.
ALTER TABLE "_sessions" ADD COLUMN "activeOrganizationId" TEXT;
