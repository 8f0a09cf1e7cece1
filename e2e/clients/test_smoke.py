def test_the_ui_and_its_files_are_served(server):
    with server.client() as client:
        page = client.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "<title>Model Registry</title>" in page.text
        starter = page.text.split('<script type="module" src="')[1].split('"')[0]
        assert client.get(starter).headers["content-type"].startswith("text/javascript")
