-- What 0002 brought.
INSERT INTO names (object_id, name) VALUES ('01900000000070008000000000000002', 'ocr');
