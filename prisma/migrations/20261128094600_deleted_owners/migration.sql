-- Without "to", the owner was deleted: an upload that began before does not become a file.
ALTER TABLE "_adoptions" ALTER COLUMN "to" DROP NOT NULL;
