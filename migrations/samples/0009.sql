-- A card whose front matter nobody has read yet.
UPDATE models SET description = '---
license: mit
---
# OCR', license = NULL WHERE id = '01900000000070008000000000000002';
